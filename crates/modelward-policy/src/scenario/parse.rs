//! Lines into scenarios.

use modelward_decision::vocabulary::{Action, Name, ProjectId};
use modelward_decision::{Obligation, Outcome, Request};
use smol_str::SmolStr;

use super::circumstances::Circumstances;
use super::line::Line;
use super::world::World;
use super::{CASES_MAX, Case, Expected, FILE_BYTES_MAX, GIVEN_MAX, Scenario, given};
use crate::Finding;
use modelward_decision::bundle::Place;

pub(super) fn parse(
    file: &str,
    text: &str,
    own: Option<(Name, ProjectId)>,
) -> Result<Vec<Scenario>, Finding> {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file is larger than {FILE_BYTES_MAX} bytes");
        return Err(Finding::error("scenario", message).at(Place::start(file)));
    }
    let world = World::of(own);
    let shared = Stage { world, circumstances: Circumstances::well()? };
    let mut reader =
        Reader { shared: shared.clone(), own: shared, scenarios: Vec::new(), asked: None, cases: 0 };
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let mut words = Line::new(file, text, from, line);
        from += line.len();
        if !words.is_blank() {
            reader.read(&mut words)?;
        }
    }
    reader.finish()
}

/// What holds at some point of a file.
#[derive(Clone)]
struct Stage {
    world: World,
    circumstances: Circumstances,
}

struct Reader {
    /// What the lines before the first scenario said.
    shared: Stage,
    own: Stage,
    scenarios: Vec<Scenario>,
    /// A `when` that waits for its `then`.
    asked: Option<(String, Place, Request)>,
    cases: usize,
}

impl Reader {
    fn read(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let keyword = line.word("a statement")?;
        if let Some((when, at, _)) = &self.asked
            && keyword.text != "then"
        {
            return Err(Finding::error("scenario", "a `then` is missing after this `when`")
                .at(at.clone())
                .hint(format!("write `then allow` or `then deny` below `{when}`")));
        }
        match keyword.text {
            "scenario" => self.scenario(line),
            "given" => self.given(line),
            "with" => {
                let stage = self.stage();
                stage.circumstances.read(line, &stage.world)
            }
            "when" => self.when(line),
            "then" => self.then(line),
            other => Err(line
                .wrong(&keyword, format!("`{other}` is not a statement"))
                .hint("a line starts with scenario, given, with, when or then")),
        }
    }

    /// Where `given` and `with` count: the whole file before the first scenario, one scenario after.
    fn stage(&mut self) -> &mut Stage {
        if self.scenarios.is_empty() { &mut self.shared } else { &mut self.own }
    }

    fn scenario(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let at = line.place();
        let title = line.rest();
        if title.is_empty() {
            return Err(line.wrong_line("a scenario has a title"));
        }
        self.close();
        self.own = self.shared.clone();
        self.scenarios.push(Scenario { title, at, cases: Vec::new(), world: Vec::new() });
        Ok(())
    }

    /// Gives the last scenario its world, now that it is complete.
    fn close(&mut self) {
        if let Some(last) = self.scenarios.last_mut() {
            last.world.clone_from(&self.own.world.changes);
        }
    }

    fn given(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let has_cases = self.scenarios.last().is_some_and(|scenario| !scenario.cases.is_empty());
        let stage = self.stage();
        if stage.world.changes.len() >= GIVEN_MAX {
            return Err(line.wrong_line(format!("more than {GIVEN_MAX} things in one scenario")));
        }
        if has_cases {
            return Err(line
                .wrong_line("a `given` stands before the first `when` of its scenario")
                .hint("start another `scenario`"));
        }
        let clock = stage.circumstances.clock;
        given::read(line, &mut stage.world, &clock)
    }

    fn when(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        if self.scenarios.is_empty() {
            return Err(line
                .wrong_line("a `when` stands in a scenario")
                .hint("write `scenario TITLE` before it"));
        }
        self.cases += 1;
        if self.cases > CASES_MAX {
            return Err(line.wrong_line(format!("more than {CASES_MAX} requests in one file")));
        }
        let at = line.place();
        let text = line.text_after_keyword();
        let world = &self.own.world;
        let who = line.word("who asks")?;
        let principal = world.principal(line, &who)?;
        let action: Action = line.value("an action")?;
        let thing = line.word("a thing")?;
        let resource = world.resource(line, &thing)?;
        let mut circumstances = self.own.circumstances.clone();
        circumstances.read(line, world)?;
        let facts = circumstances.facts(resource, line)?;
        self.asked = Some((text, at, Request { principal, action, resource, facts }));
        Ok(())
    }

    fn then(&mut self, line: &mut Line<'_>) -> Result<(), Finding> {
        let expected_at = line.place();
        let expected = expected(line, &self.own.world)?;
        let (Some((text, at, request)), Some(scenario)) = (self.asked.take(), self.scenarios.last_mut())
        else {
            return Err(line.wrong_line("a `then` follows a `when`"));
        };
        scenario.cases.push(Case { text, at, request, expected, expected_at });
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<Scenario>, Finding> {
        if let Some((_, at, _)) = self.asked {
            return Err(Finding::error("scenario", "a `then` is missing after this `when`").at(at));
        }
        self.close();
        Ok(self.scenarios)
    }
}

/// `allow|deny [OUTCOME] [by POLICIES] [under GRANT] [obliged OBLIGATIONS|nothing]`.
fn expected(line: &mut Line<'_>, world: &World) -> Result<Expected, Finding> {
    let verdict = line.word("`allow` or `deny`")?;
    let allow = match verdict.text {
        "allow" => true,
        "deny" => false,
        other => return Err(line.wrong(&verdict, format!("expected `allow` or `deny`, found `{other}`"))),
    };
    let mut expected = Expected { allow, outcome: None, by: None, under: None, obliged: None };
    while let Some(option) = line.next() {
        match option.text {
            "forbidden" if !allow => expected.outcome = Some(Outcome::Forbidden),
            "not-permitted" if !allow => expected.outcome = Some(Outcome::NotPermitted),
            "error-closed" if !allow => expected.outcome = Some(Outcome::ErrorClosed),
            "obligation-unmet" if !allow => expected.outcome = Some(Outcome::ObligationUnmet),
            "by" => expected.by = Some(line.list::<SmolStr>("policies")?),
            "under" if allow => {
                let word = line.word("a grant")?;
                let id = *super::world::known(line, &word, word.text, "grant", &world.grants)?;
                let name = word.text.parse().map_err(|_| line.wrong(&word, "not a name"))?;
                expected.under = Some((name, id));
            }
            "obliged" if allow => {
                expected.obliged = Some(match line.peek() {
                    Some("nothing") => {
                        line.next().map(|_| std::collections::BTreeSet::new()).unwrap_or_default()
                    }
                    _ => line.list::<Obligation>("obligations")?,
                });
            }
            other => {
                let known = match allow {
                    true => "by POLICIES, under GRANT, obliged OBLIGATIONS",
                    false => "forbidden, not-permitted, error-closed, obligation-unmet, by POLICIES",
                };
                let message = format!("`{other}` is not known here");
                return Err(line.wrong(&option, message).hint(format!("known here: {known}")));
            }
        }
    }
    Ok(expected)
}
