//! Open Inference Protocol v2 over REST, with what KServe, MLServer and Triton add to it.

use modelward_decision::inventory::Protocol;
use modelward_decision::vocabulary::Action;

use super::Verb::{Any, Get, Post};
use super::{Call, Class, Route};

const fn allow(
    id: &'static str,
    route: (super::Verb, &'static str),
    class: Class,
    served: (&'static [Action], Call),
    note: &'static str,
) -> Route {
    Route::allow(id, Protocol::OpenInference, route, class, served, note)
}

const fn deny(
    id: &'static str,
    route: (super::Verb, &'static str),
    class: Class,
    note: &'static str,
) -> Route {
    Route::deny(id, Protocol::OpenInference, route, class, note)
}

const PREDICT: &[Action] = &[Action::Predict];
const STREAM: &[Action] = &[Action::PredictStream];
const LIST: &[Action] = &[Action::ListModels, Action::ReadSelf];
const SERVING: &[Action] = &[Action::ReadServing];
const ENDPOINT: &[Action] = &[Action::ReadEndpoint];

const INFER: &str = "version pinned; only label outputs unless raw scores are held";
const GENERATE: &str = "version pinned; text and finish reason only";
const METADATA: &str = "version pinned; parameters and unknown keys dropped";
const LOCAL_LIST: &str = "answered here, only what the caller may see or use";
const STATE: &str = "changes what a server runs; done by a deployment, not by a caller";
const MEMORY: &str = "memory shared between tenants";
const PAYLOADS: &str = "can write other callers' tensors to a file";

pub(super) const ROUTES: &[Route] = &[
    allow("oip.infer", (Post, "/v2/models/{model}/infer"), Class::Infer, (PREDICT, Call::Infer), INFER),
    allow(
        "oip.infer-version",
        (Post, "/v2/models/{model}/versions/{version}/infer"),
        Class::Infer,
        (PREDICT, Call::Infer),
        INFER,
    ),
    allow(
        "oip.generate",
        (Post, "/v2/models/{model}/generate"),
        Class::Infer,
        (PREDICT, Call::Generate),
        GENERATE,
    ),
    allow(
        "oip.generate-version",
        (Post, "/v2/models/{model}/versions/{version}/generate"),
        Class::Infer,
        (PREDICT, Call::Generate),
        GENERATE,
    ),
    allow(
        "oip.generate-stream",
        (Post, "/v2/models/{model}/generate_stream"),
        Class::Infer,
        (STREAM, Call::GenerateStream),
        GENERATE,
    ),
    allow(
        "oip.generate-stream-version",
        (Post, "/v2/models/{model}/versions/{version}/generate_stream"),
        Class::Infer,
        (STREAM, Call::GenerateStream),
        GENERATE,
    ),
    deny("oip.stats-all", (Any, "/v2/models/stats"), Class::Read, "how much others use a model"),
    allow("oip.model", (Get, "/v2/models/{model}"), Class::Read, (SERVING, Call::InferenceModel), METADATA),
    allow(
        "oip.model-version",
        (Get, "/v2/models/{model}/versions/{version}"),
        Class::Read,
        (SERVING, Call::InferenceModel),
        METADATA,
    ),
    allow(
        "oip.model-ready",
        (Get, "/v2/models/{model}/ready"),
        Class::Read,
        (SERVING, Call::InferenceModelReady),
        "that a model exists is itself a fact, so not public",
    ),
    allow(
        "oip.model-version-ready",
        (Get, "/v2/models/{model}/versions/{version}/ready"),
        Class::Read,
        (SERVING, Call::InferenceModelReady),
        "that a model exists is itself a fact, so not public",
    ),
    allow("oip.models", (Get, "/v2/models"), Class::Read, (LIST, Call::InferenceModels), LOCAL_LIST),
    allow("oip.index", (Post, "/v2/repository/index"), Class::Read, (LIST, Call::InferenceIndex), LOCAL_LIST),
    allow(
        "oip.server",
        (Get, "/v2"),
        Class::Read,
        (ENDPOINT, Call::InferenceServer),
        "answered here; the upstream's name and version stay hidden",
    ),
    allow(
        "oip.ready",
        (Get, "/v2/health/ready"),
        Class::Read,
        (ENDPOINT, Call::InferenceReady),
        "whether a replica answers its health check",
    ),
    allow(
        "oip.live",
        (Get, "/v2/health/live"),
        Class::Public,
        (&[], Call::InferenceLive),
        "of the gateway, the same for every endpoint name",
    ),
    deny(
        "oip.infer-stream",
        (Post, "/v2/models/{model}/infer_stream"),
        Class::Infer,
        "an extension no filter reads yet",
    ),
    deny(
        "oip.infer-stream-version",
        (Post, "/v2/models/{model}/versions/{version}/infer_stream"),
        Class::Infer,
        "an extension no filter reads yet",
    ),
    deny("oip.docs", (Any, "/v2/docs"), Class::Read, "describes the server behind"),
    deny("oip.docs-dataplane", (Any, "/v2/docs/dataplane.json"), Class::Read, "describes the server behind"),
    deny("oip.model-docs", (Any, "/v2/models/{model}/docs"), Class::Read, "describes the server behind"),
    deny(
        "oip.model-docs-dataplane",
        (Any, "/v2/models/{model}/docs/dataplane.json"),
        Class::Read,
        "describes the server behind",
    ),
    deny(
        "oip.model-version-docs",
        (Any, "/v2/models/{model}/versions/{version}/docs/{rest*}"),
        Class::Read,
        "describes the server behind",
    ),
    deny(
        "oip.repo-index",
        (Any, "/v2/repository/{repo}/index"),
        Class::Read,
        "names the stores behind; use `/v2/repository/index`",
    ),
    deny("oip.load", (Any, "/v2/repository/models/{model}/load"), Class::Deploy, STATE),
    deny("oip.unload", (Any, "/v2/repository/models/{model}/unload"), Class::Deploy, STATE),
    deny("oip.repo-load", (Any, "/v2/repository/{repo}/models/{model}/load"), Class::Deploy, STATE),
    deny("oip.repo-unload", (Any, "/v2/repository/{repo}/models/{model}/unload"), Class::Deploy, STATE),
    deny(
        "oip.config",
        (Any, "/v2/models/{model}/config"),
        Class::Administer,
        "paths, instance groups and environment of the server",
    ),
    deny(
        "oip.config-version",
        (Any, "/v2/models/{model}/versions/{version}/config"),
        Class::Administer,
        "paths, instance groups and environment of the server",
    ),
    deny("oip.stats", (Any, "/v2/models/{model}/stats"), Class::Read, "how much others use a model"),
    deny(
        "oip.stats-version",
        (Any, "/v2/models/{model}/versions/{version}/stats"),
        Class::Read,
        "how much others use a model",
    ),
    deny("oip.trace", (Any, "/v2/trace/setting"), Class::Administer, PAYLOADS),
    deny("oip.model-trace", (Any, "/v2/models/{model}/trace/setting"), Class::Administer, PAYLOADS),
    deny(
        "oip.model-version-trace",
        (Any, "/v2/models/{model}/versions/{version}/trace/setting"),
        Class::Administer,
        PAYLOADS,
    ),
    deny("oip.logging", (Any, "/v2/logging"), Class::Administer, "verbose logs hold other callers' inputs"),
    deny("oip.system-memory", (Any, "/v2/systemsharedmemory/{rest*}"), Class::Administer, MEMORY),
    deny("oip.cuda-memory", (Any, "/v2/cudasharedmemory/{rest*}"), Class::Administer, MEMORY),
    deny("oip.metrics", (Any, "/metrics"), Class::Administer, "names and traffic of every model"),
    deny("kserve.v1-models", (Any, "/v1/models"), Class::Read, "another protocol; use `/v2/models`"),
    deny(
        "kserve.v1-predict",
        (Post, "/v1/models/{model}:predict"),
        Class::Infer,
        "another protocol; use `/v2/models/{model}/infer`",
    ),
    deny(
        "kserve.v1-explain",
        (Post, "/v1/models/{model}:explain"),
        Class::Sensitive,
        "attributions of inputs",
    ),
    deny(
        "kserve.v1-model",
        (Any, "/v1/models/{model}"),
        Class::Read,
        "another protocol; use `/v2/models/{model}`",
    ),
    deny(
        "kserve.openai",
        (Any, "/openai/{rest*}"),
        Class::Infer,
        "another protocol; declare an endpoint of its own for it",
    ),
];
