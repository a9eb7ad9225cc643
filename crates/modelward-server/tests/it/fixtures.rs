//! Every page of the console with invented contents: as many rows as asked for.

use askama::Template as _;
use jiff::{SignedDuration, Timestamp};
use modelward_decision::vocabulary::Privilege;
use modelward_server::console::page::*;
use modelward_server::console::part::{Count, IdChip, Mark, Sparkline, When};
use modelward_server::console::view::*;
use modelward_server::console::{assets, card, qr};
use modelward_server::wire::MarkState;

#[path = "fixtures/policy.rs"]
mod policy;

pub(crate) fn now() -> Timestamp {
    "2026-11-20T10:24:08Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn when(seconds: i64) -> When {
    When::new(ago(seconds), now())
}

pub(crate) fn shell(section: Section, title: &str, theme: Theme) -> Shell {
    Shell {
        title: title.to_owned(),
        section,
        who: Some(Who { name: "dana".to_owned(), display_name: "Dana Osei".to_owned() }),
        theme,
        csrf: "c5rf".to_owned(),
        here: "/".to_owned(),
        revision: 412,
        remark: Some(
            "This installation is young: grants up to inference can still be given directly, until two people in \
             two groups have enrolled."
                .to_owned(),
        ),
        notice: None,
        assets: assets::paths(),
    }
}

const PEOPLE: [&str; 8] = ["dana", "femi", "ilse", "jonas", "mei", "noor", "pablo", "sunniva"];
const MODELS: [&str; 6] = ["fraud", "churn", "credit-risk", "triage", "support-llm", "embeddings-m"];

fn pick<const N: usize>(list: [&str; N], position: usize) -> String {
    list[position % N].to_owned()
}

fn id(prefix: &str, number: usize) -> IdChip {
    IdChip::new(format!("{prefix}_06ey3m9k1v7xj8t2c0d4q{number:05}"))
}

fn digest(number: usize) -> IdChip {
    IdChip::new(format!("sha256:{number:04x}{}c9", "7".repeat(58)))
}

fn rows<T>(count: usize, make: impl FnMut(usize) -> T) -> Vec<T> {
    (0..count.min(50)).map(make).collect()
}

fn paging(count: usize) -> Paging {
    Paging {
        shown: if count == 0 {
            "nothing".to_owned()
        } else {
            format!("1–{} of {}", count.min(50), Count(count as u64))
        },
        previous: None,
        next: (count > 50).then(|| "?after=1154".to_owned()),
        csv: Some("/decisions.csv".to_owned()),
        json: Some("/decisions.json".to_owned()),
        complete_to: Some(Count(48_211)),
    }
}

fn decision_row(position: usize) -> DecisionRow {
    let samples = [
        (
            true,
            Privilege::Inference,
            "predict",
            "permitted",
            "Your grant on fraud covers predictions in production.",
        ),
        (
            false,
            Privilege::Export,
            "downloadWeights",
            "not-permitted",
            "You hold no export right on fraud/3.",
        ),
        (true, Privilege::ReadOnly, "readCard", "permitted", "Your grant on fraud covers reading its card."),
        (
            false,
            Privilege::InferenceSensitive,
            "readLogprobs",
            "not-permitted",
            "Log probabilities of support-llm need a right of their own, which you do not hold.",
        ),
        (
            false,
            Privilege::Retraining,
            "launchTraining",
            "forbidden",
            "Training in production is forbidden, whatever grants exist.",
        ),
        (
            true,
            Privilege::Govern,
            "grantAccess",
            "permitted",
            "You may give this grant while the installation is young.",
        ),
    ];
    let (allowed, privilege, action, outcome, sentence) = samples[position % samples.len()];
    DecisionRow {
        link: format!("/decisions/de_06ey3m9k1v7xj8t2c0d4q{position:05}"),
        at: When::clock(ago(position as i64 * 37), now()),
        allowed,
        outcome: outcome.to_owned(),
        principal: pick(PEOPLE, position),
        mark: Mark::of(privilege, allowed),
        action: action.to_owned(),
        resource: format!("{}/3", pick(MODELS, position / 2)),
        environment: "production".to_owned(),
        sentence: sentence.to_owned(),
        count: if position % 11 == 7 { 184 } else { 1 },
    }
}

fn session_rows(count: usize) -> Vec<SessionRow> {
    rows(count, |position| SessionRow {
        id: id("se", position),
        current: position == 0,
        user_agent: pick(["Firefox 146 on Linux", "modelward 0.1.0", "Chromium 156 on Windows"], position),
        source: pick(["192.0.2.0/24", "2001:db8:31:7::/64"], position),
        strength: pick(["passkey", "password and code"], position),
        signed_in: when(734 + position as i64 * 9000),
        last_seen: when(position as i64 * 600),
        ends: when(-1800),
    })
}

fn factors(count: usize) -> Factors {
    Factors {
        password: true,
        authenticator: count > 0,
        recovery_codes_left: if count == 0 { 10 } else { 2 },
        passkeys_possible: true,
        passkeys: rows(count.min(3), |position| PasskeyRow {
            id: digest(position).full,
            name: pick(["laptop", "blue key", "telephone"], position),
            kind: pick(["in several devices", "in one device"], position),
            added: when(position as i64 * 400_000),
            used: (position != 1).then(|| when(position as i64 * 4000)),
            copied: (position == 2).then(|| when(300)),
        }),
    }
}

fn facts() -> Vec<FactRow> {
    let fact = |name: &str, value: &str, source: &str, age: Option<i64>, confidence: &str| FactRow {
        name: name.to_owned(),
        value: value.to_owned(),
        source: source.to_owned(),
        age: age.map(|seconds| When::distance(ago(seconds), now())),
        confidence: confidence.to_owned(),
    };
    vec![
        fact("environment", "production", "inventory", Some(86_400), "managed"),
        fact("sign-in strength", "2 (password, code)", "credential", Some(734), "proved"),
        fact("network", "office", "socket", Some(0), "managed"),
        fact("place", "unknown", "nobody", None, "none"),
        fact("classification", "restricted", "inventory", Some(86_400), "managed"),
        fact("clearance", "confidential", "inventory", Some(86_400 * 12), "managed"),
    ]
}

fn trace() -> Vec<Candidate> {
    let clause = |text: &str, verdict: &str, values: &[&str]| Clause {
        text: text.to_owned(),
        verdict: verdict.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    vec![
        Candidate {
            title: "An export grant reaches the weights".to_owned(),
            policy: "grant.export".to_owned(),
            effect: "permit".to_owned(),
            verdict: "not satisfied".to_owned(),
            grant: Some(id("gr", 17)),
            clauses: vec![
                clause("principal in context.grant.grantee", "true", &["grantee = dana"]),
                clause("resource in context.grant.scope", "true", &["scope = fraud"]),
                clause(
                    "context.grant.privilege == \"export\"",
                    "false",
                    &["grant.privilege = \"inference\""],
                ),
                clause("context.session.strength >= 3", "not-reached", &[]),
            ],
        },
        Candidate {
            title: "Quarantined versions are not served".to_owned(),
            policy: "guard.quarantine".to_owned(),
            effect: "forbid".to_owned(),
            verdict: "not satisfied".to_owned(),
            grant: None,
            clauses: vec![clause("resource.quarantined", "false", &["resource.quarantined = false"])],
        },
    ]
}

fn policies() -> Vec<PolicyRow> {
    let source = "@id(\"grant.export\")\n@title(\"An export grant reaches the weights\")\npermit (\n  principal,\n  action in Action::\"Export\",\n  resource\n)\nwhen {\n  principal in context.grant.grantee &&\n  resource in context.grant.scope &&\n  context.grant.privilege == \"export\"\n};";
    vec![PolicyRow {
        link: Some(format!("/policy/{}/policies/grant.export", digest(7).full)),
        id: "grant.export".to_owned(),
        title: "An export grant reaches the weights".to_owned(),
        owner: "ml-security".to_owned(),
        lines: source
            .lines()
            .map(|line| PolicyLine { text: line.to_owned(), lit: line.contains("privilege ==") })
            .collect(),
    }]
}

fn remedies() -> Vec<Remedy> {
    vec![
        Remedy {
            text: "Hold a grant of export on fraud/3. It takes two approvals.".to_owned(),
            command: Some("modelward request export fraud/3 --for 1d".to_owned()),
        },
        Remedy {
            text: "Sign in with a phishing-resistant key, at most 5 minutes before.".to_owned(),
            command: None,
        },
    ]
}

fn proof() -> Proof {
    Proof {
        index: 48_210,
        index_shown: Count(48_210),
        leaf_hash: digest(4660),
        tree_size: Some(Count(48_211)),
        text: Some("c2sp.org/tlog-proof@v1\nindex 48210\nmDPo6dRZ2Y3lO1mUS+kVtT3u5bW3ujo1eHbDjqN1bpo=\nV5bW3ujo1eHbDjqN1bpomDPo6dRZ2Y3lO1mUS+kVtT3=\n\nmodelward.example/log\n48211\nEHbDjqN1bpomDPo6dRZ2Y3lO1mUS+kVtT3V5bW3ujo1=\n\n— modelward.example/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=".to_owned()),
        command: "modelward ledger prove 48210".to_owned(),
    }
}

fn privileges() -> Vec<Choice> {
    std::iter::once(Choice { value: String::new(), label: "any".to_owned(), chosen: true })
        .chain(Privilege::ALL.into_iter().skip(1).map(|privilege| Choice {
            value: privilege.to_string(),
            label: privilege.to_string(),
            chosen: false,
        }))
        .collect()
}

fn choices(labels: &[&str]) -> Vec<Choice> {
    labels
        .iter()
        .enumerate()
        .map(|(position, label)| Choice {
            value: (*label).to_owned(),
            label: (*label).to_owned(),
            chosen: position == 0,
        })
        .collect()
}

fn mine(position: usize) -> Vec<Mark> {
    let all = [
        Mark::allow(Privilege::ReadOnly),
        Mark::allow(Privilege::Inference),
        Mark::new(Privilege::InferenceSensitive, MarkState::Needs).with_note("needs production"),
        Mark::new(Privilege::Retraining, MarkState::Needs).with_note("needs a key sign-in"),
        Mark::new(Privilege::Export, MarkState::Deny),
    ];
    all.into_iter().take(position % 6).collect()
}

fn access(count: usize) -> Access {
    if count == 0 {
        return Access::Hidden;
    }
    Access::Rows(rows(count.min(8), |position| AccessRow {
        name: pick(PEOPLE, position),
        kind: if position == 3 { "machine" } else { "person" }.to_owned(),
        marks: mine(position + 1),
    }))
}

fn grant_row(position: usize) -> GrantRow {
    let privilege = Privilege::ALL[1 + position % 11];
    GrantRow {
        id: id("gr", position),
        link: format!("/grants/{}", id("gr", position).full),
        grantee: if position.is_multiple_of(3) { "analysts".to_owned() } else { pick(PEOPLE, position) },
        grantee_kind: if position.is_multiple_of(3) { "group" } else { "person" }.to_owned(),
        mark: Mark::allow(privilege),
        privilege: privilege.to_string(),
        scope: pick(MODELS, position),
        conditions: (position.is_multiple_of(2))
            .then(|| "production only, Mon–Fri 08:00–18:00 Europe/Berlin".to_owned()),
        state: if position % 9 == 8 { "revoked" } else { "live" }.to_owned(),
        until: when(-86_400 * (position as i64 + 1)),
        origin: "bootstrap, by dana".to_owned(),
        uses: (position % 5 == 1).then(|| "12 of 100 uses".to_owned()),
    }
}

const CARD: &str = "# Intended use\n\nScores card payments for review by people. It does **not** decline a payment by itself.\n\n## Training data\n\n2.1 million payments of 2025, without names. Columns of class *confidential* and above were left out.\n\n| Split | Rows | Positive |\n|---|---|---|\n| train | 1 680 000 | 0.8 % |\n| holdout | 420 000 | 0.8 % |\n\n## Known to fail\n\n- Merchants younger than 30 days: recall falls to 0.61.\n- Amounts above 20 000 are rare in training.\n\nAsk [the owners](mailto:risk@example.com) before other uses.";

/// Every page, by name, with about this many rows.
pub(crate) fn pages(count: usize, theme: Theme) -> Vec<(&'static str, String)> {
    let shell = |section, title: &str| shell(section, title, theme);
    let bare = |title: &str| Shell { who: None, ..self::shell(Section::None, title, theme) };
    let ten_codes: Vec<String> =
        (0..10).map(|number| format!("7k2p-{number}9qx-m4rt-{number}vwz-8hcd-2nfy")).collect();
    let otpauth = "otpauth://totp/Modelward:dana?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Modelward";
    let mut out = Vec::new();
    macro_rules! page {
        ($name:literal, $page:ident, $shell:expr, $view:expr) => {
            out.push(($name, $page { shell: $shell, view: $view }.render().unwrap()));
        };
    }
    page!(
        "sign-in",
        SignInPage,
        bare("Sign in"),
        SignIn {
            name: if count == 0 { String::new() } else { "dana".to_owned() },
            next: "/".to_owned(),
            use_recovery: false,
            problem: (count > 0).then(|| {
                "Name, password or code do not match. Wait 3 seconds before the next try.".to_owned()
            }),
            passkeys: true,
            issuers: rows(count.min(2), |position| IssuerButton {
                title: pick(["Corporate", "Partners"], position),
                link: "/sign-in/with/corporate?next=%2F".to_owned(),
            }),
        }
    );
    page!("enrol-1", EnrolPage, bare("Enrol"), Enrol::Code { problem: None });
    page!(
        "enrol-2",
        EnrolPage,
        bare("Enrol"),
        Enrol::Authenticator {
            name: "dana".to_owned(),
            display_name: "Dana Osei".to_owned(),
            code: "7K2P-M9QX-R4TV-8HCD".to_owned(),
            secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP".to_owned(),
            otpauth: otpauth.to_owned(),
            qr: qr::square(otpauth),
            passkeys: true,
            problem: None,
        }
    );
    page!(
        "enrol-3",
        EnrolPage,
        bare("Enrol"),
        Enrol::Done { name: "dana".to_owned(), first: true, recovery_codes: ten_codes }
    );
    page!(
        "home",
        HomePage,
        shell(Section::Home, "Home"),
        Home {
            display_name: "Dana Osei".to_owned(),
            signed_in: When::distance(ago(734), now()),
            methods: "password and code".to_owned(),
            session_ends: When::distance(ago(-41_000), now()),
            groups: "analysts, fraud-team".to_owned(),
            rights: rows(count.min(6), |position| {
                let row = grant_row(position);
                RightRow {
                    mark: row.mark,
                    means: Privilege::ALL[1 + position % 11].summary().to_owned(),
                    privilege: row.privilege,
                    scope_link: Some(format!("/models/{}", row.scope)),
                    scope: row.scope,
                    conditions: row.conditions,
                    until: row.until,
                    via: if position.is_multiple_of(3) { "group analysts" } else { "bootstrap" }.to_owned(),
                    grant: row.id,
                }
            }),
            refused: rows(count.min(4), |position| DecisionRow {
                principal: String::new(),
                ..decision_row(position * 2 + 1)
            }),
            operator: (count > 0).then(|| Operator {
                allowed: Count(12_048),
                denied: Count(311),
                per_minute: Sparkline {
                    values: (0..60_u32)
                        .map(|minute| 180 + (minute * 37 % 53) + if minute > 44 { minute * 3 } else { 0 })
                        .collect(),
                    label: "Decisions per minute over the last hour, 396 in the last minute".to_owned(),
                },
                per_minute_last: "396 in the last minute".to_owned(),
                reasons: [
                    ("no grant", 214, 100),
                    ("field without right", 61, 28),
                    ("outside its window", 22, 10),
                    ("guardrail", 14, 6)
                ]
                .into_iter()
                .map(|(reason, count, share)| ReasonRow {
                    reason: reason.to_owned(),
                    link: "/decisions?verdict=deny".to_owned(),
                    count: Count(count),
                    share
                })
                .collect(),
                enforce_p99: Some("3.1 ms".to_owned()),
                ledger_size: Count(48_211),
                checkpoint: Count(48_211),
                revision: Count(412),
                bundle: digest(7),
            }),
        }
    );
    let question = "dana · download weights · fraud/3 · production".to_owned();
    page!(
        "can-empty",
        CanPage,
        shell(Section::Can, "Can I?"),
        Can {
            question: String::new(),
            examples: vec![
                "predict · fraud".to_owned(),
                "download weights · fraud/3".to_owned(),
                "read logprobs · support-llm".to_owned()
            ],
            words: PEOPLE.iter().map(|word| (*word).to_owned()).collect(),
            problem: None,
            answer: None,
        }
    );
    page!(
        "can",
        CanPage,
        shell(Section::Can, "Can I?"),
        Can {
            question,
            examples: Vec::new(),
            words: Vec::new(),
            problem: None,
            answer: Some(Answer {
                allowed: false,
                headline: "No.".to_owned(),
                sentence: "Dana holds no export right on fraud/3.".to_owned(),
                understood: vec![
                    ("who".to_owned(), "Dana Osei".to_owned()),
                    ("does".to_owned(), "download weights".to_owned()),
                    ("to".to_owned(), "fraud/3".to_owned()),
                    ("in".to_owned(), "production".to_owned()),
                    ("at".to_owned(), "now".to_owned()),
                ],
                mark: Mark::of(Privilege::Export, false),
                remedies: remedies(),
                obligations: Vec::new(),
                facts: facts(),
                policies: policies(),
                trace: trace(),
                passed: trace(),
                decision: id("de", 4),
                revision: Count(412),
            }),
        }
    );
    page!(
        "models",
        ModelsPage,
        shell(Section::Models, "Models"),
        Models {
            query: String::new(),
            rows: rows(count, |position| ModelRow {
                name: if position < 6 {
                    pick(MODELS, position)
                } else {
                    format!("{}-{position}", pick(MODELS, position))
                },
                project: "risk".to_owned(),
                classification: pick(["restricted", "internal", "confidential", "public"], position),
                versions: Count(position as u64 + 1),
                aliases: vec!["champion".to_owned()],
                tags: vec!["payments".to_owned(), "tabular".to_owned()],
                quarantined: position == 4,
                mine: mine(position),
            }),
            paging: paging(count),
        }
    );
    page!(
        "model",
        ModelPage,
        shell(Section::Models, "fraud"),
        Model {
            name: "fraud".to_owned(),
            id: id("mo", 1),
            project: "risk".to_owned(),
            classification: "restricted".to_owned(),
            tags: vec!["payments".to_owned(), "tabular".to_owned()],
            quarantined: false,
            on_sensitive_ask: "a request for one without the right is refused".to_owned(),
            in_an_outage: "predictions end after 30 seconds without news of revocations",
            card: (count > 0).then(|| card::render(CARD)),
            versions: rows(count.min(3), |position| VersionRow {
                label: (3 - position).to_string(),
                aliases: if position == 0 { vec!["champion".to_owned()] } else { Vec::new() },
                digest: Some(digest(position)),
                proven: position == 0,
                quarantined: position == 2,
            }),
            endpoints: rows(count.min(2), |position| EndpointRow {
                name: pick(["scoring", "staging-scoring"], position),
                environment: pick(["production", "staging"], position),
                protocol: "open-inference".to_owned(),
                public_name: "fraud".to_owned(),
                target: "@champion, now version 3".to_owned(),
            }),
            mine: mine(4),
            access: access(count),
        }
    );
    page!(
        "version",
        VersionPage,
        shell(Section::Models, "fraud/3"),
        Version {
            model: "fraud".to_owned(),
            label: "3".to_owned(),
            id: id("ve", 3),
            classification: "restricted".to_owned(),
            aliases: vec!["champion".to_owned()],
            digest: Some(digest(3)),
            proven: true,
            quarantined: false,
            label_outputs: vec!["label".to_owned()],
            metrics: Metrics::Rows(rows(count.min(4), |position| {
                (
                    pick(["auc", "recall@1%", "brier", "rows"], position),
                    pick(["0.9412", "0.8130", "0.0061", "420000"], position),
                )
            })),
            mine: mine(5),
            access: access(count),
            history: if count == 0 { History::Hidden } else { History::Rows(rows(5, decision_row)) },
        }
    );
    page!(
        "matrix",
        MatrixPage,
        shell(Section::Matrix, "Matrix"),
        Matrix {
            environments: choices(&["production", "staging", "research"]),
            rows_of: choices(&["people", "groups", "machines"]),
            networks: choices(&["any", "office", "vpn"]),
            model: String::new(),
            at: String::new(),
            columns: if count == 0 {
                Vec::new()
            } else {
                MODELS.iter().map(|model| (*model).to_owned()).collect()
            },
            rows: rows(count, |position| MatrixRow {
                name: if position < 8 {
                    pick(PEOPLE, position)
                } else {
                    format!("{}-{position}", pick(PEOPLE, position))
                },
                detail: "analysts".to_owned(),
                cells: (0..6).map(|column| mine(position * 5 + column * 7)).collect(),
            }),
            legend: Privilege::ALL
                .into_iter()
                .skip(1)
                .map(|privilege| Legend {
                    mark: Mark::allow(privilege),
                    name: privilege.to_string(),
                    means: privilege.summary().to_owned()
                })
                .chain([
                    Legend {
                        mark: Mark::new(Privilege::Inference, MarkState::Needs),
                        name: "dashed".to_owned(),
                        means: "a grant exists, something named is missing".to_owned()
                    },
                    Legend {
                        mark: Mark::of(Privilege::Inference, false),
                        name: "outlined".to_owned(),
                        means: "a grant exists, a guardrail says no".to_owned()
                    },
                ])
                .collect(),
            paging: paging(count),
            bundle: digest(7),
        }
    );
    page!(
        "decisions",
        DecisionsPage,
        shell(Section::Decisions, "Decisions"),
        Decisions {
            own_only: false,
            whose_all: true,
            can_see_all: true,
            principal: String::new(),
            resource: String::new(),
            privileges: privileges(),
            verdicts: choices(&["both", "allowed", "denied"]),
            own_account: false,
            rows: rows(count, decision_row),
            paging: paging(count),
            stream: Some("/decisions/stream?whose=all".to_owned()),
        }
    );
    page!(
        "decision",
        DecisionPage,
        shell(Section::Decisions, "Decision"),
        Decision {
            id: id("de", 1),
            allowed: false,
            outcome: "not-permitted".to_owned(),
            sentence: "You hold no export right on fraud/3.".to_owned(),
            at: when(221),
            principal: "femi".to_owned(),
            phrase: "download weights".to_owned(),
            action: "downloadWeights".to_owned(),
            mark: Mark::of(Privilege::Export, false),
            resource: "fraud/3".to_owned(),
            environment: "production".to_owned(),
            grant: None,
            covering: vec![id("gr", 17), id("gr", 18)],
            remedies: if count == 0 { Vec::new() } else { remedies() },
            obligations: if count == 0 { Vec::new() } else { vec!["answers keep two decimals".to_owned()] },
            held_fields: Vec::new(),
            facts: if count == 0 { Vec::new() } else { facts() },
            policies: if count == 0 { Vec::new() } else { policies() },
            trace: if count == 0 { Vec::new() } else { trace() },
            passed: Vec::new(),
            afterwards: None,
            proof: proof(),
            revision: Count(412),
            bundle: digest(7),
            schema: digest(8),
            can_link: "/can?q=femi".to_owned(),
        }
    );
    page!("grants", GrantsPage, shell(Section::Grants, "Grants"), Grants {
        all: true,
        can_see_all: true,
        can_give: true,
        open: true,
        rule: "While the installation is young, read-only and inference can be given directly, for at most 30 days. Nobody gives a grant to oneself.".to_owned(),
        grantee: String::new(),
        scope: String::new(),
        privileges: privileges(),
        states: choices(&["live and pending", "live", "expired", "revoked"]),
        rows: rows(count, grant_row),
        paging: paging(count),
        give: GiveForm { privileges: choices(&["read-only", "inference"]), days: "7".to_owned(), expanded: count == 10, ..GiveForm::default() },
    });
    page!(
        "grant",
        GrantPage,
        shell(Section::Grants, "Grant"),
        Grant {
            row: grant_row(2),
            from: when(86_400),
            means: Privilege::Inference.summary().to_owned(),
            actions: Privilege::Inference.actions().map(|action| action.phrase().to_owned()).collect(),
            end: (count > 0).then(|| EndGrant {
                verb: "Revoke".to_owned(),
                effect:
                    "Ends the right for 3 people, 1 of whom keeps it by another grant. Cuts 2 open streams."
                        .to_owned(),
            }),
        }
    );
    page!(
        "sessions",
        SessionsPage,
        shell(Section::Sessions, "Sessions"),
        Sessions {
            rows: session_rows(count.clamp(1, 50)),
            others: count.min(49),
            factors: factors(count),
            changeable: count != 10,
            can_prove_again: true,
            attempts: rows(count.min(20), |position| AttemptRow {
                at: when(position as i64 * 4000),
                source: pick(["192.0.2.0/24", "2001:db8::/64"], position),
                good: position % 3 != 2,
                text: pick(["passkey", "password and code", "refused"], position),
            }),
            issuers: rows(count.min(1), |_| IssuerButton {
                title: "Corporate".to_owned(),
                link: "/sessions/link/corporate".to_owned(),
            }),
        }
    );
    page!(
        "authenticator",
        AuthenticatorPage,
        shell(Section::Sessions, "Authenticator app"),
        Authenticator {
            secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP".to_owned(),
            otpauth: otpauth.to_owned(),
            qr: qr::square(otpauth),
            problem: (count > 0).then(|| "The code of the authenticator is wrong.".to_owned()),
        }
    );
    page!(
        "recovery-codes",
        RecoveryCodesPage,
        shell(Section::Sessions, "Recovery codes"),
        RecoveryCodes { codes: rows(10, |_| "7k2pm9-qxr4tv-8hcd3f-a1b2c3".to_owned()) }
    );
    page!(
        "person",
        PersonPage,
        shell(Section::People, "Femi Adeyemi"),
        Person {
            name: "femi".to_owned(),
            display_name: "Femi Adeyemi".to_owned(),
            active: count != 10,
            rows: session_rows(count.min(50)),
            factors: factors(count),
            can_end: true,
        }
    );
    page!(
        "signed-out",
        SignedOutPage,
        bare("Signed out"),
        SignedOut { link: "https://id.example.org/end".to_owned() }
    );
    page!(
        "issuers",
        IssuersPage,
        shell(Section::People, "Issuers"),
        Issuers {
            rows: rows(count.min(3), |position| IssuerRow {
                name: pick(["corporate", "github", "cluster"], position),
                title: pick(["Corporate", "GitHub Actions", "Cluster"], position),
                url: "https://id.example.org/realms/staff".to_owned(),
                distrusted: (position == 2).then(|| when(300)),
                ways: pick(["console, command line", "workloads"], position.min(1)),
                marks: vec![Mark::allow(Privilege::ReadOnly), Mark::allow(Privilege::Inference)],
                groups: "gives groups that begin with corp-".to_owned(),
                acr: if position == 0 {
                    vec!["phr=phr".to_owned(), "mfa=2fa".to_owned()]
                } else {
                    Vec::new()
                },
                algorithms: "RS256 ES256".to_owned(),
                keys: rows(count.min(2), |key| format!("key-{key}")),
                keys_seen: Some(when(120)),
                mappings: rows(count.min(12), |mapping| MappingRow {
                    external: format!("cn=group-{mapping},ou=groups,dc=example,dc=org"),
                    group: format!("corp-group-{mapping}"),
                    counts: mapping != 1,
                }),
                workloads: rows(count.min(2), |_| WorkloadRow {
                    name: "release".to_owned(),
                    machine: "releaser".to_owned(),
                    claims: vec!["repository_id=1234".to_owned(), "ref=refs/heads/main".to_owned()],
                }),
                sessions: 12,
            }),
            strangers: rows(count, |position| StrangerRow {
                issuer: "corporate".to_owned(),
                subject: format!("00u1a2b3c4d5e6f7g8h{position}"),
                called: "Femi Adeyemi, femi@example.org".to_owned(),
                seen: when(3600),
            }),
            can_link: true,
            can_distrust: true,
        }
    );
    page!(
        "people",
        PeoplePage,
        shell(Section::People, "People"),
        People {
            rows: rows(count, |position| PersonRow {
                own: position == 0,
                name: pick(PEOPLE, position),
                display_name: format!(
                    "{} {}",
                    pick(["Dana", "Femi", "Ilse", "Jonas", "Mei", "Noor", "Pablo", "Sunniva"], position),
                    pick(["Osei", "Adeyemi", "Brandt"], position)
                ),
                clearance: pick(["confidential", "internal"], position),
                active: position % 7 != 6,
                groups: vec!["analysts".to_owned(), "fraud-team".to_owned()],
            }),
            groups: rows(count.min(2), |position| GroupRow {
                name: pick(["analysts", "fraud-team"], position),
                parents: if position == 1 { vec!["analysts".to_owned()] } else { Vec::new() },
                members: PEOPLE.iter().take(4).map(|name| (*name).to_owned()).collect(),
            }),
            machines: rows(count.min(1), |_| MachineRow {
                name: "scorer".to_owned(),
                owner: "dana".to_owned(),
                clearance: "internal".to_owned(),
                active: true
            }),
            can_manage: true,
            invited: (count == 10).then(|| InvitedCode {
                name: "kofi".to_owned(),
                code: "7K2P-M9QX-R4TV".to_owned(),
                expires: when(-900)
            }),
            invite_name: String::new(),
            invite_groups: String::new(),
            paging: paging(count),
        }
    );
    page!("ledger", LedgerPage, shell(Section::Ledger, "Ledger"), Ledger {
        origin: "modelward.example/log".to_owned(),
        size: Count(48_213),
        checkpoint_size: Count(48_211),
        root: "EHbDjqN1bpomDPo6dRZ2Y3lO1mUS+kVtT3V5bW3ujo1=".to_owned(),
        verifier_key: "modelward.example/log+6b4f8a2e+AVm5c0pZ2H4l3y1g8Zk0m2uQ5rXv9tYwN7bJdKfLsHqE".to_owned(),
        checkpoint: "modelward.example/log\n48211\nEHbDjqN1bpomDPo6dRZ2Y3lO1mUS+kVtT3V5bW3ujo1=\n\n— modelward.example/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5".to_owned(),
        rows: rows(count, |position| EntryRow {
            index: 48_212 - position as u64,
            index_shown: Count(48_212 - position as u64),
            at: When::clock(ago(position as i64 * 3), now()),
            kind: pick(["decision", "outcome", "state change"], position),
            summary: pick(["denied: femi downloads weights of fraud/3", "answered in 12 ms, 4 218 bytes", "grant gr_000017 revoked"], position),
            leaf_hash: digest(position),
        }),
        paging: paging(count),
    });
    page!(
        "gateways",
        GatewaysPage,
        shell(Section::Ledger, "Gateways"),
        Gateways {
            revision: Count(412),
            rows: rows(count.min(3), |position| GatewayRow {
                name: format!("edge-{position}"),
                state: ["current", "fenced", "invited"][position],
                meaning: "up to date",
                is_well: position == 0,
                revision: (position < 2).then_some(Count(412)),
                behind: Count(position as u64),
                seen: (position < 2).then(|| when(1)),
                enrolled: (position < 2).then(|| when(900)),
            }),
        }
    );
    page!(
        "provisioning",
        ProvisioningPage,
        shell(Section::People, "Provisioning"),
        Provisioning {
            can_change: true,
            rows: rows(count.min(3), |position| ProvisioningRow {
                name: format!("okta-{position}"),
                issuer: "corporate".to_owned(),
                trouble: [None, Some("paused"), Some("expired")][position],
                meaning: [
                    "",
                    "It ended 11 people within ten minutes: what it wants to change is not taken.",
                    "None of its secrets counts any more."
                ][position]
                    .to_owned(),
                is_paused: position == 1,
                people: Count(1_204),
                groups: Count(37),
                seen: (position < 2).then(|| when(40)),
                changed: (position < 2).then(|| when(3_600)),
                secrets: rows(2 - position, |_| when(-86_400)),
                breaker: "2 people ended in the last ten minutes; more than 10 or 10 % pause it".to_owned(),
                made: "by dana".to_owned(),
            }),
        }
    );
    page!("entry", EntryPage, shell(Section::Ledger, "Entry"), Entry {
        index: 48_210,
        index_shown: Count(48_210),
        kind: "decision".to_owned(),
        at: when(221),
        json: "{\n  \"action\": \"downloadWeights\",\n  \"outcome\": \"not-permitted\",\n  \"resource\": { \"id\": \"ve_06ey3m9k1v7xj8t2c0d4qz5rnw\", \"kind\": \"version\" }\n}".to_owned(),
        decision_link: Some("/decisions/de_1".to_owned()),
        proof: proof(),
        previous: Some(48_209),
        next: (count > 0).then_some(48_211),
    });
    page!(
        "refusal",
        RefusalPage,
        shell(Section::Matrix, "Denied"),
        Refusal {
            status: 403,
            headline: "Denied.".to_owned(),
            text: "Reading the permission matrix needs the audit right, which you do not hold.".to_owned(),
            hint: Some("Ask somebody who governs for audit on the platform.".to_owned()),
            decision: Some(id("de", 9)),
            again: Some("/sign-in?name=dana&next=%2Fmatrix".to_owned()),
        }
    );
    page!("confirm", ConfirmPage, shell(Section::People, "Deactivate femi"), Confirm {
        headline: "Deactivate Femi Adeyemi?".to_owned(),
        effect: "Ends 2 sessions and every token from them at once; 4 grants stay but count for nothing while deactivated.".to_owned(),
        undo: "Activating again gives the grants back. The sessions stay ended.".to_owned(),
        action: "/people/femi".to_owned(),
            what: "deactivate".to_owned(),
        verb: "Deactivate".to_owned(),
        back: "/people".to_owned(),
        also: None,
    });
    out.extend(policy::pages(count, theme));
    out
}
