//! Every route of the control API with the action it stands for. The router is built from this list, and a golden
//! file in `tests/it/endpoints.txt` shows it.

use modelward_decision::vocabulary::Action;

/// One route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    pub method: Method,
    /// Path with `{parameter}` segments.
    pub path: &'static str,
    pub needs: Needs,
    /// Request body, or query parameters for `GET`.
    pub takes: &'static str,
    pub answers: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    Get,
    Post,
    Delete,
}

/// What a caller must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: the answer is public, or the body itself carries the proof.
    Nothing,
    /// A credential and an allow for this action.
    Action(Action),
    /// The first action where the request is about the caller's own things, the second otherwise.
    Own { own: Action, others: Action },
    /// The first of these actions the caller may do; each alone is enough to read this.
    Either(Action, Action),
    /// About the caller's own things the first; about others' whichever of the two after it the caller may do.
    OwnOrEither { own: Action, either: Action, or: Action },
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

const fn route(
    method: Method,
    path: &'static str,
    needs: Needs,
    takes: &'static str,
    answers: &'static str,
) -> Route {
    Route { method, path, needs, takes, answers }
}

use Action as A;
use Method::{Delete, Get, Post};
use Needs::{Action as Only, Either, Nothing, Own, OwnOrEither};

/// The answer to an event that was taken: none but its status (RFC 8935 section 2.2).
pub const TAKEN: &str = "202";

/// The list, in the order of the documentation.
pub const ROUTES: &[Route] = &[
    // Oneself.
    route(Post, "/api/v1/enrol", Nothing, "EnrolRequest", "EnrolStarted"),
    route(Post, "/api/v1/enrol/confirm", Nothing, "EnrolConfirmRequest", "Enrolled"),
    route(Post, "/api/v1/enrol/passkey/begin", Nothing, "EnrolPasskeyBegin", "PasskeyOptions"),
    route(Post, "/api/v1/enrol/passkey", Nothing, "EnrolPasskeyRequest", "Enrolled"),
    route(Post, "/api/v1/login", Nothing, "LoginRequest", "LoggedIn"),
    route(Post, "/api/v1/login/passkey/begin", Nothing, "-", "PasskeyOptions"),
    route(Post, "/api/v1/login/passkey", Nothing, "PasskeyLoginRequest", "LoggedIn"),
    route(Post, "/api/v1/login/again/begin", Only(A::SignIn), "-", "PasskeyOptions"),
    route(Post, "/api/v1/login/again", Only(A::SignIn), "PasskeyLoginRequest", "LoggedIn"),
    route(Get, "/api/v1/sign-in", Nothing, "-", "SignInOptions"),
    route(Post, "/api/v1/login/issuer", Nothing, "IssuerLoginRequest", "LoggedIn"),
    route(Post, "/api/v1/token", Only(A::SignIn), "form TokenRequest", "TokenResponse"),
    // Of others' tokens, whoever may not read access hears what is said of no token.
    route(Post, "/api/v1/introspect", Only(A::ReadSelf), "form IntrospectRequest", "Introspection"),
    // Whoever has a token may end it: it is the proof.
    route(Post, "/api/v1/revoke", Nothing, "form RevokeTokenRequest", "TokenRevoked"),
    route(Post, "/api/v1/logout", Only(A::EndSession), "-", "LoggedOut"),
    route(Get, "/api/v1/whoami", Only(A::ReadSelf), "-", "Whoami"),
    route(Get, "/api/v1/sessions", Only(A::ReadSelf), "-", "List<SessionView>"),
    route(Post, "/api/v1/sessions/end-others", Only(A::EndSession), "-", "SessionsEnded"),
    route(
        Delete,
        "/api/v1/sessions/{session}",
        Own { own: A::EndSession, others: A::EndSessions },
        "-",
        "SessionsEnded",
    ),
    route(Get, "/api/v1/factors", Only(A::ReadSelf), "-", "FactorsView"),
    route(Get, "/api/v1/factors/sign-ins", Only(A::ReadSelf), "-", "List<AttemptView>"),
    route(Post, "/api/v1/factors/passkeys/begin", Only(A::SignIn), "-", "PasskeyOptions"),
    route(Post, "/api/v1/factors/passkeys", Only(A::SignIn), "AddPasskeyRequest", "FactorsChanged"),
    route(Delete, "/api/v1/factors/passkeys/{passkey}", Only(A::SignIn), "-", "FactorsChanged"),
    route(Post, "/api/v1/factors/authenticator/begin", Only(A::SignIn), "-", "AuthenticatorOffered"),
    route(Post, "/api/v1/factors/authenticator", Only(A::SignIn), "AuthenticatorRequest", "FactorsChanged"),
    route(Delete, "/api/v1/factors/authenticator", Only(A::SignIn), "-", "FactorsChanged"),
    route(Post, "/api/v1/factors/recovery-codes", Only(A::SignIn), "-", "RecoveryCodesMade"),
    route(Get, "/api/v1/privileges", Only(A::ReadSelf), "-", "List<PrivilegeView>"),
    // Grants.
    route(
        Get,
        "/api/v1/grants",
        OwnOrEither { own: A::ReadSelf, either: A::ReadAccess, or: A::ReadConfiguration },
        "?GrantFilter",
        "Page<GrantView>",
    ),
    route(Post, "/api/v1/grants", Only(A::GrantAccess), "GrantRequest", "Granted"),
    route(Get, "/api/v1/grants/{grant}", Own { own: A::ReadSelf, others: A::ReadAccess }, "-", "GrantView"),
    route(
        Post,
        "/api/v1/grants/{grant}/revoke",
        Own { own: A::DropGrant, others: A::RevokeAccess },
        "RevokeRequest",
        "Revoked",
    ),
    // Inventory.
    route(Post, "/api/v1/apply", Only(A::ApplyInventory), "ApplyRequest", "Applied"),
    route(Get, "/api/v1/projects", Only(A::ReadSelf), "-", "List<ProjectView>"),
    route(Get, "/api/v1/environments", Only(A::ReadSelf), "-", "List<EnvironmentView>"),
    route(Get, "/api/v1/models", Only(A::ReadSelf), "-", "List<ModelLine>"),
    route(Get, "/api/v1/models/{model}", Only(A::ReadCard), "-", "ModelView"),
    route(Get, "/api/v1/models/{model}/access", Only(A::ReadAccess), "-", "List<AccessRow>"),
    route(Get, "/api/v1/models/{model}/versions/{version}", Only(A::ReadVersion), "-", "VersionView"),
    route(Get, "/api/v1/models/{model}/versions/{version}/metrics", Only(A::ReadMetrics), "-", "MetricsView"),
    route(Get, "/api/v1/endpoints", Only(A::ReadSelf), "-", "List<EndpointView>"),
    route(Get, "/api/v1/endpoints/{endpoint}", Only(A::ReadEndpoint), "-", "EndpointView"),
    route(Get, "/api/v1/datasets", Only(A::ReadSelf), "-", "List<DatasetView>"),
    route(Get, "/api/v1/datasets/{dataset}", Only(A::ReadDatasetSchema), "-", "DatasetView"),
    // People, groups, machines.
    route(Get, "/api/v1/groups", Either(A::ReadAccess, A::ReadConfiguration), "-", "List<GroupView>"),
    route(Post, "/api/v1/groups", Only(A::ManageGroups), "ApplyGroupsRequest", "Applied"),
    route(Get, "/api/v1/people", Either(A::ReadAccess, A::ReadConfiguration), "-", "List<PersonView>"),
    route(Post, "/api/v1/people/{person}", Only(A::ManagePeople), "PersonChange", "PersonChanged"),
    route(
        Get,
        "/api/v1/people/{person}/sessions",
        Either(A::ReadAccess, A::ReadConfiguration),
        "-",
        "List<SessionView>",
    ),
    route(
        Get,
        "/api/v1/people/{person}/factors",
        Either(A::ReadAccess, A::ReadConfiguration),
        "-",
        "FactorsView",
    ),
    route(Post, "/api/v1/people/{person}/end-sessions", Only(A::EndSessions), "-", "SessionsEnded"),
    route(Post, "/api/v1/enrolments", Only(A::ManagePeople), "InviteRequest", "Invited"),
    route(Post, "/api/v1/machines", Only(A::ManagePeople), "ApplyMachinesRequest", "Applied"),
    route(Get, "/api/v1/machines", Either(A::ReadAccess, A::ReadConfiguration), "-", "List<MachineView>"),
    // Identities of elsewhere.
    route(Get, "/api/v1/issuers", Either(A::ReadAccess, A::ReadConfiguration), "-", "List<IssuerView>"),
    route(Get, "/api/v1/issuers/{issuer}", Either(A::ReadAccess, A::ReadConfiguration), "-", "IssuerView"),
    route(Post, "/api/v1/issuers/{issuer}/distrust", Only(A::ManageKeys), "-", "IssuerChanged"),
    route(Post, "/api/v1/issuers/{issuer}/trust", Only(A::ManageKeys), "-", "IssuerChanged"),
    route(Post, "/api/v1/issuers/{issuer}/logout", Nothing, "form LogoutNoticeRequest", "LogoutNoticed"),
    route(Post, "/api/v1/issuers/{issuer}/events", Nothing, "text application/secevent+jwt", TAKEN),
    route(Get, "/api/v1/strangers", Only(A::ManagePeople), "-", "List<StrangerView>"),
    route(
        Get,
        "/api/v1/people/{person}/identities",
        Either(A::ReadAccess, A::ReadConfiguration),
        "-",
        "List<IdentityView>",
    ),
    route(
        Post,
        "/api/v1/people/{person}/identities",
        Only(A::ManagePeople),
        "IdentityRequest",
        "IdentitiesChanged",
    ),
    route(
        Post,
        "/api/v1/people/{person}/identities/unlink",
        Only(A::ManagePeople),
        "IdentityRequest",
        "IdentitiesChanged",
    ),
    // Security signals.
    route(Get, "/api/v1/signals", Either(A::ReadAccess, A::ReadConfiguration), "-", "List<StandingView>"),
    route(Post, "/api/v1/signals/lift", Only(A::LiftLock), "LiftRequest", "SignalLifted"),
    route(
        Get,
        "/api/v1/signals/received",
        Either(A::ReadAccess, A::ReadConfiguration),
        "-",
        "List<ReceivedView>",
    ),
    route(
        Get,
        "/api/v1/signals/transmitters",
        Either(A::ReadAccess, A::ReadConfiguration),
        "-",
        "List<TransmitterView>",
    ),
    route(Post, "/api/v1/signals/transmitters/{issuer}/verify", Only(A::ManageKeys), "-", "TransmitterView"),
    // Provisioning clients; what they say themselves comes in under `/scim/v2`.
    route(
        Get,
        "/api/v1/scim-clients",
        Either(A::ReadAccess, A::ReadConfiguration),
        "-",
        "List<ScimClientView>",
    ),
    route(Post, "/api/v1/scim-clients", Only(A::ManagePeople), "ScimClientRequest", "ScimClientMade"),
    route(
        Post,
        "/api/v1/scim-clients/{client}/rotate",
        Only(A::ManagePeople),
        "ScimSecretRequest",
        "ScimClientMade",
    ),
    route(Post, "/api/v1/scim-clients/{client}/resume", Only(A::ManagePeople), "-", "ScimClientChanged"),
    route(Post, "/api/v1/scim-clients/{client}/revoke", Only(A::ManagePeople), "-", "ScimClientChanged"),
    // Who may do what.
    route(Post, "/api/v1/can", Own { own: A::ReadSelf, others: A::ReadAccess }, "CanRequest", "CanAnswer"),
    route(Post, "/api/v1/who-can", Only(A::ReadAccess), "WhoCanRequest", "WhoCanAnswer"),
    route(
        Post,
        "/api/v1/what-can",
        Own { own: A::ReadSelf, others: A::ReadAccess },
        "WhatCanRequest",
        "WhatCanAnswer",
    ),
    route(Get, "/api/v1/matrix", Only(A::ReadMatrix), "?MatrixQuery", "MatrixView"),
    // Policy.
    route(Get, "/api/v1/policy", Only(A::ReadMatrix), "-", "PolicyStatus"),
    route(Get, "/api/v1/policy/handbook", Only(A::ReadMatrix), "-", "HandbookText"),
    route(Get, "/api/v1/policy/bundles", Only(A::ReadMatrix), "-", "List<BundleLine>"),
    route(Post, "/api/v1/policy/bundles", Only(A::AuthorPolicy), "ProposeRequest", "PolicyChanged"),
    route(Get, "/api/v1/policy/bundles/{bundle}", Only(A::ReadConfiguration), "-", "BundleView"),
    route(Get, "/api/v1/policy/bundles/{bundle}/file", Only(A::ReadConfiguration), "-", "BundleText"),
    route(
        Get,
        "/api/v1/policy/bundles/{bundle}/difference",
        Only(A::ReadConfiguration),
        "?DifferenceQuery",
        "BundleDifference",
    ),
    route(
        Get,
        "/api/v1/policy/bundles/{bundle}/policies/{policy}",
        Only(A::ReadConfiguration),
        "-",
        "PolicyInFull",
    ),
    route(
        Get,
        "/api/v1/policy/bundles/{bundle}/policies/{policy}/effects",
        Only(A::ReadDecisions),
        "-",
        "PolicyEffects",
    ),
    route(
        Post,
        "/api/v1/policy/bundles/{bundle}/signatures",
        Only(A::ApprovePolicy),
        "SignBundleRequest",
        "PolicyChanged",
    ),
    route(
        Post,
        "/api/v1/policy/bundles/{bundle}/replay",
        Only(A::ReadDecisions),
        "ReplayRequest",
        "ReplayReport",
    ),
    route(Post, "/api/v1/policy/trial", Only(A::ActivatePolicy), "TrialRequest", "PolicyChanged"),
    route(Post, "/api/v1/policy/trial/end", Only(A::ActivatePolicy), "-", "PolicyChanged"),
    route(Post, "/api/v1/policy/activate", Only(A::ActivatePolicy), "ActivateRequest", "PolicyChanged"),
    route(Post, "/api/v1/policy/rollback", Only(A::ActivatePolicy), "StepRequest", "PolicyChanged"),
    route(Post, "/api/v1/policy/suspend", Only(A::ActivatePolicy), "StepRequest", "PolicyChanged"),
    route(Post, "/api/v1/policy/replay", Only(A::ReadDecisions), "ReplayTextRequest", "ReplayReport"),
    // Decisions.
    route(
        Get,
        "/api/v1/decisions",
        Own { own: A::ExplainOwn, others: A::ReadDecisions },
        "?DecisionFilter",
        "Page<DecisionLine>",
    ),
    route(
        Get,
        "/api/v1/decisions/stream",
        Own { own: A::ExplainOwn, others: A::ReadDecisions },
        "?DecisionFilter",
        "text/event-stream of DecisionLine",
    ),
    route(
        Get,
        "/api/v1/decisions/{decision}",
        Own { own: A::ExplainOwn, others: A::ExplainOthers },
        "-",
        "DecisionView",
    ),
    route(
        Get,
        "/api/v1/decisions/{decision}/replay",
        Own { own: A::ExplainOwn, others: A::ExplainOthers },
        "-",
        "ReplayView",
    ),
    // Keys.
    route(Get, "/api/v1/keys", Only(A::ReadConfiguration), "-", "List<KeyView>"),
    route(Post, "/api/v1/keys/{purpose}/rotate", Only(A::ManageKeys), "RotateKeyRequest", "KeyChanged"),
    route(Post, "/api/v1/keys/{key}/revoke", Only(A::ManageKeys), "-", "KeyChanged"),
    // Gateways.
    route(Get, "/api/v1/gateways", Only(A::ReadConfiguration), "-", "List<GatewayView>"),
    route(Post, "/api/v1/gateways", Only(A::ManageKeys), "InviteGatewayRequest", "GatewayInvited"),
    route(Post, "/api/v1/gateways/{gateway}/remove", Only(A::ManageKeys), "-", "GatewaysChanged"),
    // Ledger.
    route(Get, "/api/v1/ledger", Only(A::ReadLedger), "-", "LedgerPosition"),
    route(Get, "/api/v1/ledger/entries/{index}", Only(A::ReadLedger), "-", "LedgerEntryView"),
    route(Get, "/api/v1/ledger/entries/{index}/proof", Only(A::ReadLedger), "-", "ProofView"),
    route(Get, "/ledger/checkpoint", Nothing, "-", "text/plain signed note"),
    route(Get, "/ledger/tile/{*path}", Only(A::ExportLedger), "-", "application/octet-stream tile"),
    // The API itself.
    route(Get, "/.well-known/oauth-authorization-server", Nothing, "-", "application/json metadata"),
    route(Get, "/.well-known/jwks.json", Nothing, "-", "application/json keys"),
    route(Get, "/api/v1/openapi.json", Nothing, "-", "OpenAPI 3.1"),
];
