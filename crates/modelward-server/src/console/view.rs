//! What each page shows, apart from the domain it was made from: plain values, ready to be written out.

use super::part::{Count, IdChip, Mark, Sparkline, When};

/// What surrounds every page.
#[derive(Debug, Clone)]
pub struct Shell {
    pub title: String,
    pub section: Section,
    pub who: Option<Who>,
    pub theme: Theme,
    /// The session's token against requests forged by other sites; empty before sign-in.
    pub csrf: String,
    /// Path and query of this page, to come back to.
    pub here: String,
    pub revision: u64,
    /// A remark about the installation, shown on every page: grants can still be given directly.
    pub remark: Option<String>,
    pub notice: Option<Notice>,
    pub assets: super::assets::Paths,
}

/// One way from here to elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    pub href: &'static str,
    pub label: &'static str,
    pub current: bool,
}

impl Shell {
    /// What who is signed in signs in as.
    pub fn account(&self) -> &str {
        self.who.as_ref().map_or("", |who| who.name.as_str())
    }

    /// The sections, the same for everybody: a page one may not see says what is missing.
    pub fn nav(&self) -> Vec<Way> {
        [
            (Section::Home, "/", "Home"),
            (Section::Can, "/can", "Can I?"),
            (Section::Models, "/models", "Models"),
            (Section::Matrix, "/matrix", "Matrix"),
            (Section::Policy, "/policy", "Policy"),
            (Section::Decisions, "/decisions", "Decisions"),
            (Section::Grants, "/grants", "Grants"),
            (Section::People, "/people", "People"),
            (Section::Ledger, "/ledger", "Ledger"),
        ]
        .into_iter()
        .map(|(section, href, label)| Way { href, label, current: section == self.section })
        .collect()
    }
}

#[derive(Debug, Clone)]
pub struct Who {
    pub name: String,
    pub display_name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    None,
    Home,
    Can,
    Models,
    Matrix,
    Policy,
    Decisions,
    Grants,
    People,
    Ledger,
    Sessions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub fn parse(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    /// What the switch goes to next.
    pub const fn next(self) -> Self {
        match self {
            Self::System => Self::Dark,
            Self::Dark => Self::Light,
            Self::Light => Self::System,
        }
    }
}

/// What the last action did, or why it did not.
#[derive(Debug, Clone)]
pub struct Notice {
    pub good: bool,
    pub text: String,
    pub hint: Option<String>,
    pub decision: Option<IdChip>,
}

/// Where a list stands and what else it can be: rows on this page, the way on, exports of exactly this.
#[derive(Debug, Clone, Default)]
pub struct Paging {
    /// `1–50 of 1 204`.
    pub shown: String,
    pub previous: Option<String>,
    pub next: Option<String>,
    pub csv: Option<String>,
    pub json: Option<String>,
    pub complete_to: Option<Count>,
}

/// One choice in a filter.
#[derive(Debug, Clone)]
pub struct Choice {
    pub value: String,
    pub label: String,
    pub chosen: bool,
}

#[derive(Debug, Clone)]
pub struct SignIn {
    pub name: String,
    /// Where to go afterwards: a path on this site.
    pub next: String,
    pub use_recovery: bool,
    pub problem: Option<String>,
    /// Whether passkeys can be used here.
    pub passkeys: bool,
    /// Issuers one can sign in through.
    pub issuers: Vec<IssuerButton>,
}

#[derive(Debug, Clone)]
pub struct IssuerButton {
    pub title: String,
    pub link: String,
}

#[derive(Debug, Clone)]
pub struct SignedOut {
    /// Where to sign out at the issuer too.
    pub link: String,
}

#[derive(Debug, Clone)]
pub struct Issuers {
    pub rows: Vec<IssuerRow>,
    pub strangers: Vec<StrangerRow>,
    pub can_link: bool,
    pub can_distrust: bool,
}

#[derive(Debug, Clone)]
pub struct IssuerRow {
    pub name: String,
    pub title: String,
    pub url: String,
    pub distrusted: Option<When>,
    /// Who comes through it.
    pub ways: String,
    /// What its sessions reach at most.
    pub marks: Vec<Mark>,
    pub groups: String,
    pub acr: Vec<String>,
    pub algorithms: String,
    pub keys: Vec<String>,
    pub keys_seen: Option<When>,
    pub mappings: Vec<MappingRow>,
    pub workloads: Vec<WorkloadRow>,
    pub sessions: u64,
}

#[derive(Debug, Clone)]
pub struct MappingRow {
    pub external: String,
    pub group: String,
    pub counts: bool,
}

#[derive(Debug, Clone)]
pub struct WorkloadRow {
    pub name: String,
    pub machine: String,
    pub claims: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct StrangerRow {
    pub issuer: String,
    pub subject: String,
    /// What the issuer calls them.
    pub called: String,
    pub seen: When,
}

#[derive(Debug, Clone)]
pub struct Provisioning {
    pub rows: Vec<ProvisioningRow>,
    pub can_change: bool,
}

#[derive(Debug, Clone)]
pub struct ProvisioningRow {
    pub name: String,
    pub issuer: String,
    /// Nothing where all is well.
    pub trouble: Option<&'static str>,
    /// What the state means, in a sentence.
    pub meaning: String,
    pub is_paused: bool,
    pub people: Count,
    pub groups: Count,
    pub seen: Option<When>,
    pub changed: Option<When>,
    pub secrets: Vec<When>,
    /// What its breaker counts and lets through.
    pub breaker: String,
    pub made: String,
}

#[derive(Debug, Clone)]
pub enum Enrol {
    Code {
        problem: Option<String>,
    },
    Authenticator {
        name: String,
        display_name: String,
        /// Sent along again with the password: it counts until the enrolment is done.
        code: String,
        secret: String,
        otpauth: String,
        qr: super::qr::Square,
        /// Whether one can choose a passkey in its place.
        passkeys: bool,
        problem: Option<String>,
    },
    Done {
        name: String,
        first: bool,
        recovery_codes: Vec<String>,
    },
}

#[derive(Debug, Clone)]
pub struct Home {
    pub display_name: String,
    pub signed_in: When,
    pub methods: String,
    pub session_ends: When,
    pub groups: String,
    pub rights: Vec<RightRow>,
    pub refused: Vec<DecisionRow>,
    pub operator: Option<Operator>,
}

/// One live grant as its holder sees it.
#[derive(Debug, Clone)]
pub struct RightRow {
    pub mark: Mark,
    pub privilege: String,
    pub means: String,
    pub scope: String,
    pub scope_link: Option<String>,
    pub conditions: Option<String>,
    pub until: When,
    pub via: String,
    pub grant: IdChip,
}

#[derive(Debug, Clone)]
pub struct Operator {
    pub allowed: Count,
    pub denied: Count,
    pub per_minute: Sparkline,
    pub per_minute_last: String,
    pub reasons: Vec<ReasonRow>,
    pub enforce_p99: Option<String>,
    pub ledger_size: Count,
    pub checkpoint: Count,
    pub revision: Count,
    pub bundle: IdChip,
}

#[derive(Debug, Clone)]
pub struct ReasonRow {
    pub reason: String,
    pub link: String,
    pub count: Count,
    /// 0 to 100, for the bar.
    pub share: u32,
}

#[derive(Debug, Clone)]
pub struct Can {
    pub question: String,
    pub examples: Vec<String>,
    /// Words the reader may complete to: people, actions, models, environments.
    pub words: Vec<String>,
    pub problem: Option<String>,
    pub answer: Option<Answer>,
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub allowed: bool,
    pub headline: String,
    pub sentence: String,
    pub understood: Vec<(String, String)>,
    pub mark: Mark,
    pub remedies: Vec<Remedy>,
    pub obligations: Vec<String>,
    pub facts: Vec<FactRow>,
    pub policies: Vec<PolicyRow>,
    /// What settled it or came nearest.
    pub trace: Vec<Candidate>,
    /// Forbids that did not apply.
    pub passed: Vec<Candidate>,
    pub decision: IdChip,
    pub revision: Count,
}

#[derive(Debug, Clone)]
pub struct Remedy {
    pub text: String,
    pub command: Option<String>,
}

#[derive(Debug, Clone)]
pub struct FactRow {
    pub name: String,
    pub value: String,
    pub source: String,
    pub age: Option<When>,
    pub confidence: String,
}

#[derive(Debug, Clone)]
pub struct PolicyRow {
    /// Its page, for those who may see bundles.
    pub link: Option<String>,
    pub id: String,
    pub title: String,
    pub owner: String,
    /// Lines of its text, each with whether it settled the decision.
    pub lines: Vec<PolicyLine>,
}

#[derive(Debug, Clone)]
pub struct PolicyLine {
    pub text: String,
    pub lit: bool,
}

/// One policy that was tried, for one grant or for none.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub title: String,
    pub policy: String,
    pub effect: String,
    pub verdict: String,
    pub grant: Option<IdChip>,
    pub clauses: Vec<Clause>,
}

#[derive(Debug, Clone)]
pub struct Clause {
    pub text: String,
    /// `true`, `false`, `error` or `not-reached`.
    pub verdict: String,
    pub values: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Models {
    pub query: String,
    pub rows: Vec<ModelRow>,
    pub paging: Paging,
}

#[derive(Debug, Clone)]
pub struct ModelRow {
    pub name: String,
    pub project: String,
    pub classification: String,
    pub versions: Count,
    pub aliases: Vec<String>,
    pub tags: Vec<String>,
    pub quarantined: bool,
    pub mine: Vec<Mark>,
}

#[derive(Debug, Clone)]
pub struct Model {
    pub name: String,
    pub id: IdChip,
    pub project: String,
    pub classification: String,
    pub tags: Vec<String>,
    pub quarantined: bool,
    pub on_sensitive_ask: String,
    /// What happens while a gateway hears nothing of the control plane.
    pub in_an_outage: &'static str,
    /// The card as safe HTML, made by the card renderer only.
    pub card: Option<super::card::Rendered>,
    pub versions: Vec<VersionRow>,
    pub endpoints: Vec<EndpointRow>,
    pub mine: Vec<Mark>,
    pub access: Access,
}

#[derive(Debug, Clone)]
pub struct VersionRow {
    pub label: String,
    pub aliases: Vec<String>,
    pub digest: Option<IdChip>,
    pub proven: bool,
    pub quarantined: bool,
}

#[derive(Debug, Clone)]
pub struct EndpointRow {
    pub name: String,
    pub environment: String,
    pub protocol: String,
    pub public_name: String,
    pub target: String,
}

/// Who can do what, or why that is not shown.
#[derive(Debug, Clone)]
pub enum Access {
    Rows(Vec<AccessRow>),
    Hidden,
}

#[derive(Debug, Clone)]
pub struct AccessRow {
    pub name: String,
    pub kind: String,
    pub marks: Vec<Mark>,
}

#[derive(Debug, Clone)]
pub struct Version {
    pub model: String,
    pub label: String,
    pub id: IdChip,
    pub classification: String,
    pub aliases: Vec<String>,
    pub digest: Option<IdChip>,
    pub proven: bool,
    pub quarantined: bool,
    pub label_outputs: Vec<String>,
    pub metrics: Metrics,
    pub mine: Vec<Mark>,
    pub access: Access,
    pub history: History,
}

#[derive(Debug, Clone)]
pub enum Metrics {
    Rows(Vec<(String, String)>),
    Hidden,
}

#[derive(Debug, Clone)]
pub enum History {
    Rows(Vec<DecisionRow>),
    Hidden,
}

#[derive(Debug, Clone)]
pub struct Matrix {
    pub environments: Vec<Choice>,
    pub rows_of: Vec<Choice>,
    pub networks: Vec<Choice>,
    pub model: String,
    pub at: String,
    pub columns: Vec<String>,
    pub rows: Vec<MatrixRow>,
    pub legend: Vec<Legend>,
    pub paging: Paging,
    pub bundle: IdChip,
}

impl Matrix {
    /// What the first column holds.
    pub fn row_kind(&self) -> &str {
        self.rows_of.iter().find(|choice| choice.chosen).map_or("Who", |choice| &choice.label)
    }
}

#[derive(Debug, Clone)]
pub struct MatrixRow {
    pub name: String,
    pub detail: String,
    pub cells: Vec<Vec<Mark>>,
}

#[derive(Debug, Clone)]
pub struct Legend {
    pub mark: Mark,
    pub name: String,
    pub means: String,
}

#[derive(Debug, Clone)]
pub struct Decisions {
    /// Only the reader's own, because more needs `audit`.
    pub own_only: bool,
    pub whose_all: bool,
    pub can_see_all: bool,
    pub principal: String,
    pub resource: String,
    pub privileges: Vec<Choice>,
    pub verdicts: Vec<Choice>,
    pub own_account: bool,
    pub rows: Vec<DecisionRow>,
    pub paging: Paging,
    /// Address of the live feed with the same filters; absent on older pages.
    pub stream: Option<String>,
}

#[derive(Debug, Clone)]
pub struct DecisionRow {
    pub link: String,
    pub at: When,
    pub allowed: bool,
    pub outcome: String,
    pub principal: String,
    pub mark: Mark,
    pub action: String,
    pub resource: String,
    pub environment: String,
    pub sentence: String,
    pub count: u64,
}

#[derive(Debug, Clone)]
pub struct Decision {
    pub id: IdChip,
    pub allowed: bool,
    pub outcome: String,
    pub sentence: String,
    pub at: When,
    pub principal: String,
    pub phrase: String,
    pub action: String,
    pub mark: Mark,
    pub resource: String,
    pub environment: String,
    pub grant: Option<IdChip>,
    pub covering: Vec<IdChip>,
    pub remedies: Vec<Remedy>,
    pub obligations: Vec<String>,
    pub held_fields: Vec<String>,
    pub facts: Vec<FactRow>,
    pub policies: Vec<PolicyRow>,
    /// What settled it or came nearest.
    pub trace: Vec<Candidate>,
    /// Forbids that did not apply.
    pub passed: Vec<Candidate>,
    pub afterwards: Option<String>,
    pub proof: Proof,
    pub revision: Count,
    pub bundle: IdChip,
    pub schema: IdChip,
    pub can_link: String,
}

#[derive(Debug, Clone)]
pub struct Proof {
    pub index: u64,
    pub index_shown: Count,
    pub leaf_hash: IdChip,
    pub tree_size: Option<Count>,
    pub text: Option<String>,
    pub command: String,
}

#[derive(Debug, Clone)]
pub struct Grants {
    pub all: bool,
    pub can_see_all: bool,
    pub can_give: bool,
    pub open: bool,
    pub rule: String,
    pub grantee: String,
    pub scope: String,
    pub privileges: Vec<Choice>,
    pub states: Vec<Choice>,
    pub rows: Vec<GrantRow>,
    pub paging: Paging,
    pub give: GiveForm,
}

/// What was typed into the form, to be shown again beside the problem.
#[derive(Debug, Clone, Default)]
pub struct GiveForm {
    pub grantee: String,
    pub scope: String,
    pub privileges: Vec<Choice>,
    pub environment: String,
    pub days: String,
    pub problem: Option<String>,
    pub expanded: bool,
}

#[derive(Debug, Clone)]
pub struct GrantRow {
    pub id: IdChip,
    pub link: String,
    pub grantee: String,
    pub grantee_kind: String,
    pub mark: Mark,
    pub privilege: String,
    pub scope: String,
    pub conditions: Option<String>,
    pub state: String,
    pub until: When,
    pub origin: String,
    pub uses: Option<String>,
}

/// One grant, and what ending it would do.
#[derive(Debug, Clone)]
pub struct Grant {
    pub row: GrantRow,
    pub from: When,
    pub means: String,
    pub actions: Vec<String>,
    pub end: Option<EndGrant>,
}

#[derive(Debug, Clone)]
pub struct EndGrant {
    /// `revoke`, or `give back` for one's own.
    pub verb: String,
    /// In numbers: "ends the right for 3 people, 1 of them keeps it by another grant; cuts 2 open streams".
    pub effect: String,
}

#[derive(Debug, Clone)]
pub struct Sessions {
    pub rows: Vec<SessionRow>,
    /// Sessions beside this one.
    pub others: usize,
    pub factors: Factors,
    /// Whether this session may change what one signs in with.
    pub changeable: bool,
    /// Whether one could prove again who one is, with a passkey.
    pub can_prove_again: bool,
    pub attempts: Vec<AttemptRow>,
    /// Issuers one can link who one is there.
    pub issuers: Vec<IssuerButton>,
}

/// What somebody signs in with.
#[derive(Debug, Clone)]
pub struct Factors {
    pub password: bool,
    pub authenticator: bool,
    pub recovery_codes_left: u32,
    pub passkeys_possible: bool,
    pub passkeys: Vec<PasskeyRow>,
}

#[derive(Debug, Clone)]
pub struct PasskeyRow {
    pub id: String,
    pub name: String,
    /// In one device or in several.
    pub kind: String,
    pub added: When,
    pub used: Option<When>,
    /// Since when it is known to be copied.
    pub copied: Option<When>,
}

#[derive(Debug, Clone)]
pub struct AttemptRow {
    pub at: When,
    pub source: String,
    pub good: bool,
    pub text: String,
}

/// A new authenticator app.
#[derive(Debug, Clone)]
pub struct Authenticator {
    pub secret: String,
    pub otpauth: String,
    pub qr: super::qr::Square,
    pub problem: Option<String>,
}

#[derive(Debug, Clone)]
pub struct RecoveryCodes {
    pub codes: Vec<String>,
}

/// One person, for whoever audits or governs.
#[derive(Debug, Clone)]
pub struct Person {
    pub name: String,
    pub display_name: String,
    pub active: bool,
    pub rows: Vec<SessionRow>,
    pub factors: Factors,
    pub can_end: bool,
}

#[derive(Debug, Clone)]
pub struct SessionRow {
    pub id: IdChip,
    pub current: bool,
    pub user_agent: String,
    /// The network it was opened from.
    pub source: String,
    /// How one signed in.
    pub strength: String,
    pub signed_in: When,
    pub last_seen: When,
    pub ends: When,
}

#[derive(Debug, Clone)]
pub struct People {
    pub rows: Vec<PersonRow>,
    pub groups: Vec<GroupRow>,
    pub machines: Vec<MachineRow>,
    pub can_manage: bool,
    pub invited: Option<InvitedCode>,
    pub invite_name: String,
    pub invite_groups: String,
    pub paging: Paging,
}

#[derive(Debug, Clone)]
pub struct PersonRow {
    /// Oneself: nobody locks themselves out.
    pub own: bool,
    pub name: String,
    pub display_name: String,
    pub clearance: String,
    pub active: bool,
    pub groups: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct GroupRow {
    pub name: String,
    pub parents: Vec<String>,
    pub members: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct MachineRow {
    pub name: String,
    pub owner: String,
    pub clearance: String,
    pub active: bool,
}

#[derive(Debug, Clone)]
pub struct InvitedCode {
    pub name: String,
    pub code: String,
    pub expires: When,
}

#[derive(Debug, Clone)]
pub struct Ledger {
    pub origin: String,
    pub size: Count,
    pub checkpoint_size: Count,
    pub root: String,
    pub verifier_key: String,
    pub checkpoint: String,
    pub rows: Vec<EntryRow>,
    pub paging: Paging,
}

#[derive(Debug, Clone)]
pub struct Gateways {
    pub rows: Vec<GatewayRow>,
    /// The newest revision there is.
    pub revision: Count,
}

#[derive(Debug, Clone)]
pub struct GatewayRow {
    pub name: String,
    pub state: &'static str,
    pub meaning: &'static str,
    pub is_well: bool,
    pub revision: Option<Count>,
    pub behind: Count,
    pub seen: Option<When>,
    pub enrolled: Option<When>,
}

#[derive(Debug, Clone)]
pub struct Signals {
    pub standing: Vec<StandingRow>,
    pub transmitters: Vec<TransmitterRow>,
    pub received: Vec<ReceivedRow>,
}

#[derive(Debug, Clone)]
pub struct StandingRow {
    pub about: String,
    pub signal: String,
    pub title: String,
    pub since: When,
    pub until: When,
    pub by: String,
    /// `cut inference, suspend export`.
    pub does: String,
}

#[derive(Debug, Clone)]
pub struct TransmitterRow {
    pub name: String,
    pub title: String,
    pub state: &'static str,
    pub is_well: bool,
    pub heard: Option<When>,
    pub delivers: String,
}

#[derive(Debug, Clone)]
pub struct ReceivedRow {
    pub at: When,
    pub transmitter: String,
    pub event: String,
    pub about: String,
    pub effect: String,
    pub reason: String,
}

#[derive(Debug, Clone)]
pub struct EntryRow {
    pub index: u64,
    pub index_shown: Count,
    pub at: When,
    pub kind: String,
    pub summary: String,
    pub leaf_hash: IdChip,
}

#[derive(Debug, Clone)]
pub struct Entry {
    pub index: u64,
    pub index_shown: Count,
    pub kind: String,
    pub at: When,
    /// The entry's JSON with line breaks.
    pub json: String,
    pub decision_link: Option<String>,
    pub proof: Proof,
    pub previous: Option<u64>,
    pub next: Option<u64>,
}

/// A page that says no, or that something went wrong.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: u16,
    pub headline: String,
    pub text: String,
    pub hint: Option<String>,
    pub decision: Option<IdChip>,
    /// Where to sign in again, if that is all that is missing.
    pub again: Option<String>,
}

/// A list to agree on before something ends.
#[derive(Debug, Clone)]
pub struct Confirm {
    pub headline: String,
    pub effect: String,
    pub undo: String,
    pub action: String,
    /// What the form says is to be done.
    pub what: String,
    pub verb: String,
    pub back: String,
    /// What else may be agreed to: the field's name, and what it means.
    pub also: Option<(&'static str, String)>,
}

#[derive(Debug, Clone)]
pub struct Policy {
    pub active: BundleRow,
    /// What permits beside it, each for one project.
    pub projects: Vec<BundleRow>,
    /// The digest of all of them together, where there are several.
    pub decides: Option<IdChip>,
    pub on_trial: Option<BundleRow>,
    pub steps: Vec<PolicyStepRow>,
    pub bundles: Vec<BundleRow>,
    pub reviewers: Vec<ReviewerRow>,
}

#[derive(Debug, Clone)]
pub struct BundleRow {
    pub digest: IdChip,
    pub link: String,
    pub name: String,
    pub version: String,
    /// The project it is for; absent for a root bundle.
    pub project: Option<String>,
    /// `active`, `shadow`, …
    pub stage: &'static str,
    pub proposed: When,
    pub by: String,
}

#[derive(Debug, Clone)]
pub struct PolicyStepRow {
    pub since: When,
    pub active: IdChip,
    /// What was on trial, and how far.
    pub trial: String,
    /// Bundles of projects beside it.
    pub projects: String,
}

#[derive(Debug, Clone)]
pub struct ReviewerRow {
    pub name: String,
    pub group: String,
    /// Whose bundles, where not all.
    pub projects: String,
    pub keys: String,
}

#[derive(Debug, Clone)]
pub struct Bundle {
    pub row: BundleRow,
    pub files: Vec<BundleFileRow>,
    pub signatures: Vec<BundleSignatureRow>,
    /// What keeps it from coming into force.
    pub missing: Option<String>,
    pub gate: Vec<GateRow>,
    /// Changed rows of the matrix.
    pub matrix: Vec<String>,
    pub moves: Vec<BundleMove>,
    pub sign: String,
    pub policies: Vec<BundlePolicyRow>,
    /// The page that compares it with another.
    pub difference_link: String,
    /// Only for those who may see decisions.
    pub replay_link: Option<String>,
}

#[derive(Debug, Clone)]
pub struct BundlePolicyRow {
    pub id: String,
    pub link: String,
    pub title: String,
    pub owner: String,
    /// `permit`, `forbid` or `obligation`.
    pub effect: &'static str,
    /// `guardrails.cedar:52`.
    pub place: String,
    /// `4 of 4`.
    pub covered: String,
    pub is_covered: bool,
}

/// One policy of a bundle.
#[derive(Debug, Clone)]
pub struct SinglePolicy {
    pub id: String,
    pub title: String,
    pub owner: String,
    pub effect: &'static str,
    /// What the caller reads where it denies.
    pub reason: Option<String>,
    pub place: String,
    pub bundle: BundleRow,
    pub lines: Vec<CoveredLine>,
    pub clauses: Vec<CoveredClause>,
    /// How much of it tests have seen, as a sentence.
    pub covered: String,
    /// Only for those who may see decisions.
    pub effects: Option<RecentEffects>,
}

#[derive(Debug, Clone)]
pub struct CoveredLine {
    pub number: u64,
    pub text: String,
    pub seen: LineSeen,
}

/// What tests have seen of the clauses that begin on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineSeen {
    NoClause,
    Both,
    One,
    Neither,
}

impl LineSeen {
    pub const fn glyph(self) -> &'static str {
        match self {
            Self::NoClause => " ",
            Self::Both => "●",
            Self::One => "◐",
            Self::Neither => "○",
        }
    }

    /// What a pointer shows.
    pub const fn means(self) -> &'static str {
        match self {
            Self::NoClause => "no clause begins here",
            Self::Both => "tests saw it true and false",
            Self::One => "tests saw one value only",
            Self::Neither => "tests saw neither value",
        }
    }
}

#[derive(Debug, Clone)]
pub struct CoveredClause {
    pub number: usize,
    pub text: String,
    pub line: u64,
    pub seen_true: SeenHalf,
    pub seen_false: SeenHalf,
}

/// One value of a clause, and the scenarios that saw it.
#[derive(Debug, Clone)]
pub struct SeenHalf {
    pub scenarios: u64,
    pub titles: Vec<String>,
    /// Scenarios beside those named.
    pub more: u64,
    pub excuse: Option<String>,
}

/// What a policy settled of late.
#[derive(Debug, Clone)]
pub struct RecentEffects {
    pub allowed: Count,
    pub denied: Count,
    pub looked_at: Count,
    pub since: Option<When>,
    pub rows: Vec<DecisionRow>,
    pub complete_to: Count,
}

/// Recorded decisions made again under a bundle.
#[derive(Debug, Clone)]
pub struct Replay {
    pub bundle: BundleRow,
    pub last: u64,
    pub last_max: u64,
    pub days: u32,
    /// Address of the same replay told as it goes.
    pub run: String,
    /// Nothing until somebody asks for it.
    pub report: Option<ReplayFigures>,
}

#[derive(Debug, Clone)]
pub struct ReplayFigures {
    pub is_empty: bool,
    pub replayed: Count,
    pub flips: Count,
    pub looser: Count,
    pub stricter: Count,
    pub obliged: Count,
    pub groups: Vec<FlipGroup>,
}

/// Decisions that flip for the same reason.
#[derive(Debug, Clone)]
pub struct FlipGroup {
    pub direction: String,
    pub mark: Mark,
    pub action: String,
    pub policy: Option<String>,
    /// Where the policy stands in the bundle that is tried.
    pub policy_link: Option<String>,
    pub count: Count,
    pub is_one: bool,
    pub rows: Vec<FlipRow>,
    /// Decisions beside those shown.
    pub more: u64,
}

#[derive(Debug, Clone)]
pub struct FlipRow {
    pub id: IdChip,
    pub link: String,
    pub principal: String,
    pub resource: String,
}

/// What changes from one bundle to another.
#[derive(Debug, Clone)]
pub struct Difference {
    pub from: Vec<Choice>,
    pub to: Vec<Choice>,
    pub before: BundleRow,
    pub after: BundleRow,
    /// The same two, the other way round.
    pub back: Option<String>,
    pub files: Vec<BundleFileRow>,
    pub looser: Count,
    pub stricter: Count,
    pub other: Count,
    pub cells: Vec<ChangedCell>,
    /// Cells beside those shown.
    pub more: u64,
}

#[derive(Debug, Clone)]
pub struct ChangedCell {
    /// `looser`, `stricter` or `other`.
    pub leaning: &'static str,
    pub mark: Mark,
    pub action: String,
    pub resource: String,
    pub holder: String,
    pub condition: String,
    pub before: String,
    pub after: String,
}

#[derive(Debug, Clone)]
pub struct BundleFileRow {
    pub name: String,
    pub change: &'static str,
    pub bytes: Count,
}

#[derive(Debug, Clone)]
pub struct BundleSignatureRow {
    pub reviewer: String,
    pub role: String,
    pub author: String,
}

/// One step of the gate.
#[derive(Debug, Clone)]
pub struct GateRow {
    pub name: String,
    pub passed: bool,
    pub skipped: bool,
    pub summary: String,
    pub findings: Vec<String>,
}

/// Something that can be done with a bundle now.
#[derive(Debug, Clone)]
pub struct BundleMove {
    pub what: &'static str,
    pub label: &'static str,
    pub danger: bool,
    /// Asks for principals in a thousand.
    pub shares: bool,
}

#[derive(Debug, Clone)]
pub struct Handbook {
    pub text: super::card::Rendered,
}
