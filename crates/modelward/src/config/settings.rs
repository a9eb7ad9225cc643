//! Every setting there is. The loader, `modelward config check` and the reference page read this list.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::HeaderName;
use modelward_decision::vocabulary::{Name, Privilege};
use modelward_gateway::pdp::CallerPrincipal;
use modelward_identity::federation::{Algorithm, ClaimMatch, WebUrl};

use super::form::{ByteSize, Count, HttpUrl, LogFormat, Origin, PrivilegeFile, VariableName};
use super::issuers::{AcrWorth, Worth};
use super::planes::{HostPort, Role};
use super::points::{Able, Asserted};
use super::setting::{AnySetting, Default, Setting};
use Default::{Absent, Required, Text};

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $path:literal, $default:expr $(, $secret:ident)?;)+) => {
        $(
            $(#[doc = $doc])+
            pub static $name: Setting<$type> = Setting::new($path, $default, concat!($($doc),+))$(.$secret())?;
        )+

        /// All of them, in the order of the reference page.
        pub static ALL: &[&dyn AnySetting] = &[$(&$name),+];
    };
}

settings! {
    /// Which planes the process serves: `all` both, `control` without the gateway, `gateway` alone, following a control plane elsewhere.
    ROLE: Role = "role", Text("all");
    /// Where state, ledger, reservations and keys lie. A relative path counts from the folder of the configuration file.
    DATA_DIR: PathBuf = "data_dir", Absent("the folder of the configuration file");
    /// How long `serve` lets open requests finish after SIGTERM before it cuts them.
    DRAIN_TIMEOUT: Duration = "drain_timeout", Text("30s");

    /// Address of the control API and the console.
    CONTROL_LISTEN: SocketAddr = "control.listen", Text("127.0.0.1:7080");
    /// How people and tokens name the control plane: scheme, host and port. Needed when listening on every address or behind a proxy.
    CONTROL_EXTERNAL_URL: HttpUrl = "control.external_url", Absent("made from the address listened on");
    /// Certificate chain in PEM. The file is read again when it changes and on SIGHUP.
    CONTROL_TLS_CERTIFICATE: PathBuf = "control.tls.certificate", Absent("no TLS; loopback only");
    /// Private key in PEM.
    CONTROL_TLS_KEY: PathBuf = "control.tls.key", Absent("no TLS; loopback only");
    /// Listens beyond loopback in plain text: passwords and sessions can be read on the way.
    CONTROL_DANGER_PLAIN: bool = "control.danger_listen_beyond_loopback_without_tls", Text("false");

    /// Address of the gateway that models are called through.
    GATEWAY_LISTEN: SocketAddr = "gateway.listen", Text("127.0.0.1:7070");
    /// How callers and tokens name the gateway: scheme, host and port. Access tokens carry it as their audience.
    GATEWAY_EXTERNAL_URL: HttpUrl = "gateway.external_url", Absent("made from the address listened on");
    /// Certificate chain in PEM. The file is read again when it changes and on SIGHUP.
    GATEWAY_TLS_CERTIFICATE: PathBuf = "gateway.tls.certificate", Absent("no TLS; loopback only");
    /// Private key in PEM.
    GATEWAY_TLS_KEY: PathBuf = "gateway.tls.key", Absent("no TLS; loopback only");
    /// Listens beyond loopback in plain text: tokens, inputs and outputs can be read on the way.
    GATEWAY_DANGER_PLAIN: bool = "gateway.danger_listen_beyond_loopback_without_tls", Text("false");

    /// Address that gateways in other processes connect to, with mutual TLS by certificates of their own authority. The role `control` needs it.
    PLANES_LISTEN: SocketAddr = "planes.listen", Absent("no other gateways");
    /// Host and port of `planes.listen` of the control plane that a gateway follows. The role `gateway` needs it.
    PLANES_CONTROL: HostPort = "planes.control", Absent("the control plane is in this process");

    /// Open connections; one more is closed at once.
    GATEWAY_CONNECTIONS: Count<1, 1_000_000> = "gateway.connections", Text("4096");
    /// Requests under way on one HTTP/2 connection.
    GATEWAY_H2_STREAMS: Count<1, 10_000> = "gateway.h2_streams", Text("128");
    /// How long the head of a request may take, and a TLS handshake.
    GATEWAY_HEAD_TIMEOUT: Duration = "gateway.head_timeout", Text("10s");
    /// Largest body of a request.
    GATEWAY_BODY: ByteSize = "gateway.body", Text("8 MiB");
    /// How long the body of a request may take.
    GATEWAY_BODY_TIMEOUT: Duration = "gateway.body_timeout", Text("30s");
    /// How long a request may wait for the first byte of its answer.
    GATEWAY_REQUEST_TIMEOUT: Duration = "gateway.request_timeout", Text("2m");
    /// How long a stream may run.
    GATEWAY_STREAM_TIMEOUT: Duration = "gateway.stream_timeout", Text("10m");
    /// Largest answer that is no stream.
    GATEWAY_ANSWER: ByteSize = "gateway.answer", Text("16 MiB");
    /// Largest event of a stream.
    GATEWAY_EVENT: ByteSize = "gateway.event", Text("1 MiB");
    /// Alternative answers one request may ask for (`n`, `best_of`).
    GATEWAY_CHOICES: Count<1, 1024> = "gateway.choices", Text("8");
    /// Tokens one answer may be asked for.
    GATEWAY_TOKENS: Count<1, 10_000_000> = "gateway.tokens", Text("65536");
    /// Alternatives per token one request may ask for (`top_logprobs`).
    GATEWAY_ALTERNATIVES: Count<1, 1000> = "gateway.alternatives", Text("20");

    /// Address of the AuthZEN Authorization API, where other enforcement points ask for decisions.
    AUTHZEN_LISTEN: SocketAddr = "authzen.listen", Absent("off");
    /// How callers name it: scheme, host and port. It is the identity of the decision point in the metadata.
    AUTHZEN_EXTERNAL_URL: HttpUrl = "authzen.external_url", Absent("made from the address listened on");
    /// Certificate chain in PEM. The file is read again when it changes and on SIGHUP.
    AUTHZEN_TLS_CERTIFICATE: PathBuf = "authzen.tls.certificate", Absent("no TLS; loopback only");
    /// Private key in PEM.
    AUTHZEN_TLS_KEY: PathBuf = "authzen.tls.key", Absent("no TLS; loopback only");
    /// Listens beyond loopback in plain text: tokens and decisions can be read on the way.
    AUTHZEN_DANGER_PLAIN: bool = "authzen.danger_listen_beyond_loopback_without_tls", Text("false");
    /// Answers carry what the drafts on obligations and access requests add. Without, a decision that obliges to anything is a denial, because nobody could be told.
    AUTHZEN_DRAFTS: bool = "authzen.draft_profiles", Text("false");
    /// Where people ask for access; denials name it when `authzen.draft_profiles` is on.
    AUTHZEN_ACCESS_REQUEST_URL: HttpUrl = "authzen.access_request_url", Absent("denials name no address");

    /// Address of the external authorization service that Envoy asks over gRPC.
    EXT_AUTHZ_LISTEN: SocketAddr = "ext_authz.listen", Absent("off");
    /// Certificate chain in PEM. The file is read again when it changes and on SIGHUP.
    EXT_AUTHZ_TLS_CERTIFICATE: PathBuf = "ext_authz.tls.certificate", Absent("no TLS; loopback only");
    /// Private key in PEM.
    EXT_AUTHZ_TLS_KEY: PathBuf = "ext_authz.tls.key", Absent("no TLS; loopback only");
    /// Listens beyond loopback in plain text: tokens and decisions can be read on the way.
    EXT_AUTHZ_DANGER_PLAIN: bool = "ext_authz.danger_listen_beyond_loopback_without_tls", Text("false");

    /// Address of the forward authentication that nginx and Traefik ask over HTTP.
    FORWARD_AUTH_LISTEN: SocketAddr = "forward_auth.listen", Absent("off");
    /// Certificate chain in PEM. The file is read again when it changes and on SIGHUP.
    FORWARD_AUTH_TLS_CERTIFICATE: PathBuf = "forward_auth.tls.certificate", Absent("no TLS; loopback only");
    /// Private key in PEM.
    FORWARD_AUTH_TLS_KEY: PathBuf = "forward_auth.tls.key", Absent("no TLS; loopback only");
    /// Listens beyond loopback in plain text: tokens and decisions can be read on the way.
    FORWARD_AUTH_DANGER_PLAIN: bool = "forward_auth.danger_listen_beyond_loopback_without_tls", Text("false");

    /// Who the caller is: a principal of the inventory, such as `machine:edge`. At the AuthZEN API it shows an access token of its own.
    CALLER_PRINCIPAL: CallerPrincipal = "callers.*.principal", Required;
    /// The caller may ask about everybody.
    CALLER_ALL_SUBJECTS: bool = "callers.*.all_subjects", Text("false");
    /// Groups whose members the caller may ask about.
    CALLER_SUBJECT_GROUPS: Vec<Name> = "callers.*.subject_groups", Absent("nobody");
    /// The caller may ask about everything, the platform and all endpoints included.
    CALLER_ALL_PROJECTS: bool = "callers.*.all_projects", Text("false");
    /// Projects the caller may ask about.
    CALLER_PROJECTS: Vec<Name> = "callers.*.projects", Absent("nothing");
    /// Obligations the caller can do, out of `strip`, `round`, `top-k`, `label-only`, `mask`, `row-filter`, `cohort`, `answer-bytes`, `watermark` and `notify`. A decision that needs another is a denial.
    CALLER_OBLIGATIONS: Vec<Able> = "callers.*.obligations", Absent("none");
    /// What the caller may give its word for: `network`, `device`. It counts as claimed, never as proved.
    CALLER_ASSERTS: Vec<Asserted> = "callers.*.asserts", Absent("nothing");
    /// The endpoint the caller stands in front of. A proxy without one is asked for paths that begin with the endpoint's name, as at the gateway.
    CALLER_ENDPOINT: Name = "callers.*.endpoint", Absent("none");
    /// File with the secret a proxy shows in `x-modelward-proxy-secret`, 32 bytes at least. Read at the start.
    CALLER_SECRET_FILE: PathBuf = "callers.*.secret_file", Absent("the caller is no proxy");

    /// Issuer identifier of an OpenID provider, a cluster or a CI system, byte for byte as its tokens name it. Discovery is asked below it.
    ISSUER_URL: WebUrl = "issuers.*.url", Required;
    /// What people read on the button to sign in.
    ISSUER_TITLE: String = "issuers.*.title", Absent("the name of the section");
    /// Client the console is at the issuer. Its redirect URI there is `/sign-in/back` of the control plane, its back-channel logout URI `/api/v1/issuers/NAME/logout`.
    ISSUER_CLIENT_ID: String = "issuers.*.client_id", Absent("nobody signs in to the console through it");
    /// File with the secret of that client.
    ISSUER_CLIENT_SECRET_FILE: PathBuf = "issuers.*.client_secret_file", Absent("a public client; PKCE protects it");
    /// Public client the command line is at the issuer, for the device flow or a redirect to `http://127.0.0.1`.
    ISSUER_CLI_CLIENT_ID: String = "issuers.*.cli_client_id", Absent("nobody signs in to the command line through it");
    /// Scopes that are asked for.
    ISSUER_SCOPES: Vec<String> = "issuers.*.scopes", Text("openid,profile,email");
    /// Algorithms its tokens are believed under, whatever its documents say.
    ISSUER_ALGORITHMS: Vec<Algorithm> = "issuers.*.algorithms", Text("RS256,ES256");
    /// What sessions that rest on it can be used for at most, besides one's own things.
    ISSUER_PRIVILEGES: Vec<Privilege> = "issuers.*.privileges", Text("read-only,inference");
    /// Groups of ours can come from it, as `groups.toml` of the policy bundle maps them, if their names begin with this.
    ISSUER_GROUP_PREFIX: String = "issuers.*.group_prefix", Absent("it gives no group");
    /// Claim that lists groups.
    ISSUER_GROUPS_CLAIM: String = "issuers.*.groups_claim", Text("groups");
    /// What its `acr` values are worth: `1fa`, `2fa` or `phr`.
    ISSUER_ACR: Vec<AcrWorth> = "issuers.*.acr", Absent("every sign-in through it counts as one factor");
    /// Where its keys are, in the place of what discovery says.
    ISSUER_JWKS_URL: WebUrl = "issuers.*.jwks_url", Absent("as discovery says");
    /// File with its keys, for an issuer that cannot be reached. Read at the start.
    ISSUER_JWKS_FILE: PathBuf = "issuers.*.jwks_file", Absent("as discovery says");
    /// Its keys themselves, as a JSON Web Key Set.
    ISSUER_JWKS: String = "issuers.*.jwks", Absent("as discovery says");
    /// Audience that tokens of workloads have to be made for, and for no other.
    ISSUER_AUDIENCE: String = "issuers.*.audience", Absent("the address of the control plane");
    /// Authorities that may have signed its certificate, in PEM.
    ISSUER_CA_FILE: PathBuf = "issuers.*.ca_file", Absent("the authorities of the system");
    /// Hosts that may be asked although they are on a private network. Without, only public addresses are.
    ISSUER_PRIVATE_HOSTS: Vec<String> = "issuers.*.private_hosts", Absent("none");

    /// Believes security events of the issuer (Shared Signals) that are made for this audience.
    ISSUER_SIGNALS: String = "issuers.*.signals_audience", Absent("its security events are not believed");
    /// Events also find people by `NAME@` this domain, where the name is theirs here. That lets nobody in.
    ISSUER_SIGNALS_MAIL: String = "issuers.*.signals_mail_domain", Absent("addresses find nobody");
    /// How long a signal stands unless it is lifted.
    ISSUER_SIGNALS_LAST: Duration = "issuers.*.signals_last", Text("168h");
    /// The stream its events come in, as the issuer calls it.
    ISSUER_SIGNALS_STREAM: String = "issuers.*.signals_stream", Absent("nothing is asked of the issuer");
    /// Where events are fetched every five seconds (RFC 8936).
    ISSUER_SIGNALS_POLL: WebUrl = "issuers.*.signals_poll_url", Absent("the issuer pushes them");
    /// Where a sign of life is asked for.
    ISSUER_SIGNALS_VERIFY: WebUrl = "issuers.*.signals_verify_url", Absent("none is asked for");
    /// Secret shown to the issuer as a bearer token, without the line end.
    ISSUER_SIGNALS_TOKEN: PathBuf = "issuers.*.signals_token_file", Absent("none is shown");
    /// How long the stream may say nothing before that is an alarm.
    ISSUER_SIGNALS_SILENCE: Duration = "issuers.*.signals_silence", Text("15m");

    /// Issuer whose tokens prove the workload.
    WORKLOAD_ISSUER: Name = "workloads.*.issuer", Required;
    /// Machine of the inventory the workload is.
    WORKLOAD_MACHINE: Name = "workloads.*.machine", Required;
    /// Claims of the token, all of which have to match. `a/b` is the member `b` of the claim `a`; `*` stands for any characters but `/` and `:`, `**` for any.
    WORKLOAD_MATCH: Vec<ClaimMatch> = "workloads.*.match", Required;
    /// A token made to live longer is refused; 24 hours at most.
    WORKLOAD_LIFE: Duration = "workloads.*.max_life", Text("1h");
    /// What the proof is worth: `1fa` or `2fa`. Experiments and the registry take `2fa`.
    WORKLOAD_STRENGTH: Worth = "workloads.*.strength", Text("1fa");

    /// Name of the segment a peer address falls in, keyed by CIDR range. The longest matching range wins; an address in no range is in the segment `unknown`.
    NETWORKS: Name = "networks.*", Absent("every address is in the segment `unknown`");

    /// Base URLs of the replicas of an upstream, in order of preference.
    UPSTREAM_URLS: Vec<HttpUrl> = "upstreams.*.urls", Required;
    /// File whose content, without the line end, is sent as bearer token. The file is read again when it changes and on SIGHUP.
    UPSTREAM_CREDENTIAL_FILE: PathBuf = "upstreams.*.credential_file", Absent("no credential is sent");
    /// Environment variable whose content is sent as bearer token.
    UPSTREAM_CREDENTIAL_ENV: VariableName = "upstreams.*.credential_env", Absent("no credential is sent");
    /// The bearer token itself: everybody who reads this file has it.
    UPSTREAM_DANGER_CREDENTIAL: String = "upstreams.*.danger_credential", Absent("no credential is sent"), secret;
    /// Header the credential stands in as it is, such as `api-key`.
    UPSTREAM_CREDENTIAL_HEADER: HeaderName = "upstreams.*.credential_header", Absent("`Authorization: Bearer …`");
    /// Files like `credential_file`, for requests under one privilege each, as `inference-sensitive=secrets/sensitive`. Requests under another privilege carry the credential of the upstream.
    UPSTREAM_CREDENTIAL_FILES: Vec<PrivilegeFile> = "upstreams.*.credential_files", Absent("every privilege has the credential of the upstream");
    /// Authorities that may have signed the certificate of the upstream, in PEM.
    UPSTREAM_CA_FILE: PathBuf = "upstreams.*.ca_file", Absent("the authorities of the system");
    /// Path that answers 2xx while a replica can serve, such as `/v2/health/ready`.
    UPSTREAM_HEALTH_PATH: String = "upstreams.*.health_path", Absent("a replica is judged by the requests it fails");
    /// How often the health path is asked.
    UPSTREAM_HEALTH_INTERVAL: Duration = "upstreams.*.health_interval", Text("5s");
    /// Requests under way at one replica; more wait for none and are refused.
    UPSTREAM_IN_FLIGHT: Count<1, 100_000> = "upstreams.*.in_flight", Text("1024");
    /// How long to wait for a connection.
    UPSTREAM_CONNECT_TIMEOUT: Duration = "upstreams.*.connect_timeout", Text("2s");
    /// How long to wait for the head of an answer.
    UPSTREAM_HEAD_TIMEOUT: Duration = "upstreams.*.head_timeout", Text("60s");
    /// How long an answer may pause between two parts.
    UPSTREAM_IDLE_TIMEOUT: Duration = "upstreams.*.idle_timeout", Text("30s");
    /// Sends requests, with the credential of the upstream, in plain text beyond loopback.
    UPSTREAM_DANGER_PLAIN: bool = "upstreams.*.danger_plain_text_beyond_loopback", Text("false");

    /// Name of the ledger for ever: its checkpoints are signed under it. `modelward init` writes it; changing it later refuses to start.
    LEDGER_ORIGIN: Origin = "ledger.origin", Text("localhost/modelward");
    /// Size of one write-ahead segment. Seven are allocated from the start: one in use, two ahead, and four kept back so that a full disk cannot keep a revocation from being recorded.
    LEDGER_SEGMENT_SIZE: ByteSize = "ledger.segment_size", Text("16 MiB");

    /// Name that authenticator apps show beside the account.
    LOGIN_ISSUER: Name = "login.issuer", Text("Modelward");

    /// Address where the role `gateway` answers `/metrics`, `/healthz/live` and `/healthz/ready`, in plain text and without credentials. The other roles answer them at `control.listen`.
    TELEMETRY_LISTEN: SocketAddr = "telemetry.listen", Absent("off");
    /// How log lines look: `auto` is human on a terminal and JSON elsewhere.
    LOG_FORMAT: LogFormat = "telemetry.log_format", Text("auto");
    /// Which log lines are written. With `modelward::access=info` each request at the gateway has a line; without, the ledger and the metrics have it anyway.
    LOG_FILTER: String = "telemetry.log_filter", Text("info,modelward::access=off");
    /// Where traces are sent as OTLP over HTTP with protobuf, such as `http://127.0.0.1:4318/v1/traces`.
    OTLP_ENDPOINT: HttpUrl = "telemetry.otlp_endpoint", Absent("no traces are sent");
    /// Of how many root traces out of 1000 are sent.
    OTLP_SAMPLE: Count<0, 1000> = "telemetry.otlp_sample_per_mille", Text("1000");
}
