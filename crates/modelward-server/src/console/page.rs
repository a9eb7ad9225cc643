//! The pages: a template each, with what surrounds it and what it shows.

use askama::Template;

use super::view::{self, Shell};

macro_rules! pages {
    ($($(#[$doc:meta])* $page:ident: $view:ident, $file:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Template)]
        #[template(path = $file)]
        pub struct $page {
            pub shell: Shell,
            pub view: view::$view,
        }
    )+};
}

pages! {
    SignInPage: SignIn, "sign_in.html";
    EnrolPage: Enrol, "enrol.html";
    HomePage: Home, "home.html";
    CanPage: Can, "can.html";
    ModelsPage: Models, "models.html";
    ModelPage: Model, "model.html";
    VersionPage: Version, "version.html";
    MatrixPage: Matrix, "matrix.html";
    DecisionsPage: Decisions, "decisions.html";
    DecisionPage: Decision, "decision.html";
    GrantsPage: Grants, "grants.html";
    GrantPage: Grant, "grant.html";
    SessionsPage: Sessions, "sessions.html";
    AuthenticatorPage: Authenticator, "authenticator.html";
    RecoveryCodesPage: RecoveryCodes, "recovery_codes.html";
    PeoplePage: People, "people.html";
    PersonPage: Person, "person.html";
    IssuersPage: Issuers, "issuers.html";
    ProvisioningPage: Provisioning, "provisioning.html";
    SignedOutPage: SignedOut, "signed_out.html";
    LedgerPage: Ledger, "ledger.html";
    EntryPage: Entry, "entry.html";
    GatewaysPage: Gateways, "gateways.html";
    SignalsPage: Signals, "signals.html";
    RefusalPage: Refusal, "refusal.html";
    ConfirmPage: Confirm, "confirm.html";
    PolicyPage: Policy, "policy.html";
    BundlePage: Bundle, "bundle.html";
    SinglePolicyPage: SinglePolicy, "single_policy.html";
    ReplayPage: Replay, "replay.html";
    DifferencePage: Difference, "difference.html";
    HandbookPage: Handbook, "handbook.html";
}

/// What a replay found by itself, as the page asks for it while it shows how far it is.
#[derive(Debug, Template)]
#[template(path = "replay_figures.html")]
pub struct ReplayFiguresPart {
    pub report: view::ReplayFigures,
}

/// One row of the feed by itself, as the live feed sends it.
#[derive(Debug, Template)]
#[template(path = "row.html")]
pub struct FeedRow {
    pub row: view::DecisionRow,
}
