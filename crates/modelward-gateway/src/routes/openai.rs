//! The OpenAI-compatible HTTP API, with what vLLM and llama.cpp add to it.

use modelward_decision::inventory::Protocol;
use modelward_decision::vocabulary::Action;

use super::Verb::{Any, Delete, Get, Post};
use super::{Call, Class, Route};

const fn allow(
    id: &'static str,
    route: (super::Verb, &'static str),
    class: Class,
    served: (&'static [Action], Call),
    note: &'static str,
) -> Route {
    Route::allow(id, Protocol::OpenAi, route, class, served, note)
}

const fn deny(
    id: &'static str,
    route: (super::Verb, &'static str),
    class: Class,
    note: &'static str,
) -> Route {
    Route::deny(id, Protocol::OpenAi, route, class, note)
}

const TEXT: &[Action] = &[Action::Predict, Action::PredictStream];
const LIST: &[Action] = &[Action::ListModels, Action::ReadSelf];

const STORED: &str = "objects stored upstream have no owner we could check";
const TRAINING_DATA: &str = "training data; done through a retraining case";
const TRAINS: &str = "changes what a model knows; done through a retraining case";
const MEDIA: &str = "no filter reads this kind of body yet";
const MINTS: &str = "hands out a credential or a session that bypasses the gateway";
const CODE: &str = "runs code or reaches data outside the model";
const ORGANISATION: &str = "administers the account behind";
const TOKENIZER: &str = "token ids and templates of the model";
const VECTORS: &str = "hidden states or raw scores";
const WEIGHTS: &str = "reads or writes weights";
const SERVER: &str = "changes or describes the server behind";
const OTHER_API: &str = "another protocol; use the routes below `/v1` listed as allowed";

pub(super) const ROUTES: &[Route] = &[
    allow(
        "openai.chat",
        (Post, "/v1/chat/completions"),
        Class::Infer,
        (TEXT, Call::ChatCompletions),
        "`stream` decides the action; nothing is stored",
    ),
    allow(
        "openai.completions",
        (Post, "/v1/completions"),
        Class::Infer,
        (TEXT, Call::Completions),
        "`stream` decides the action",
    ),
    allow(
        "openai.responses",
        (Post, "/v1/responses"),
        Class::Infer,
        (TEXT, Call::Responses),
        "`stream` decides the action; no stored objects, no background, no hosted tools",
    ),
    allow(
        "openai.embeddings",
        (Post, "/v1/embeddings"),
        Class::Sensitive,
        (&[Action::Embed], Call::Embeddings),
        "a vector stands for its input",
    ),
    allow(
        "openai.models",
        (Get, "/v1/models"),
        Class::Read,
        (LIST, Call::Models),
        "answered here, only what the caller may see or use",
    ),
    allow(
        "openai.model",
        (Get, "/v1/models/{model}"),
        Class::Read,
        (LIST, Call::Model),
        "answered here; no path, parent or owner of the server behind",
    ),
    deny(
        "openai.model-delete",
        (Delete, "/v1/models/{model}"),
        Class::Administer,
        "deletes a fine-tuned model",
    ),
    // Objects that live upstream.
    deny("openai.chat-list", (Any, "/v1/chat/completions"), Class::ExportData, STORED),
    deny("vllm.chat-batch", (Any, "/v1/chat/completions/batch"), Class::Infer, "many requests in one"),
    deny("vllm.chat-render", (Any, "/v1/chat/completions/render"), Class::Read, TOKENIZER),
    deny("openai.chat-stored", (Any, "/v1/chat/completions/{id}"), Class::ExportData, STORED),
    deny("openai.chat-messages", (Any, "/v1/chat/completions/{id}/messages"), Class::ExportData, STORED),
    deny(
        "openai.responses-compact",
        (Post, "/v1/responses/compact"),
        Class::Infer,
        "works on stored responses",
    ),
    deny(
        "openai.responses-input-tokens",
        (Post, "/v1/responses/input_tokens"),
        Class::Infer,
        "works on stored responses",
    ),
    deny("openai.responses-stored", (Any, "/v1/responses/{id}"), Class::ExportData, STORED),
    deny("openai.responses-input-items", (Any, "/v1/responses/{id}/input_items"), Class::ExportData, STORED),
    deny("openai.responses-cancel", (Any, "/v1/responses/{id}/cancel"), Class::ExportData, STORED),
    deny("openai.conversations", (Any, "/v1/conversations"), Class::ExportData, STORED),
    deny("openai.conversations-one", (Any, "/v1/conversations/{rest*}"), Class::ExportData, STORED),
    deny("openai.threads", (Any, "/v1/threads"), Class::ExportData, STORED),
    deny("openai.threads-one", (Any, "/v1/threads/{rest*}"), Class::ExportData, STORED),
    deny("openai.assistants", (Any, "/v1/assistants"), Class::ExportData, STORED),
    deny("openai.assistants-one", (Any, "/v1/assistants/{rest*}"), Class::ExportData, STORED),
    // Other kinds of inference.
    deny(
        "openai.moderations",
        (Post, "/v1/moderations"),
        Class::Infer,
        "scores per category; not filtered yet",
    ),
    deny("openai.audio", (Any, "/v1/audio/{rest*}"), Class::Infer, MEDIA),
    deny("openai.images", (Any, "/v1/images/{rest*}"), Class::Infer, MEDIA),
    deny("openai.videos", (Any, "/v1/videos"), Class::Infer, MEDIA),
    deny("openai.videos-one", (Any, "/v1/videos/{rest*}"), Class::Infer, MEDIA),
    deny(
        "openai.batches",
        (Any, "/v1/batches"),
        Class::Infer,
        "each line of the input file names a model of its own",
    ),
    deny(
        "openai.batches-one",
        (Any, "/v1/batches/{rest*}"),
        Class::Infer,
        "each line of the input file names a model of its own",
    ),
    deny("openai.realtime", (Any, "/v1/realtime"), Class::Infer, "a session can change its model"),
    deny("openai.realtime-sessions", (Any, "/v1/realtime/{rest*}"), Class::Infer, MINTS),
    // Data and training.
    deny("openai.files", (Any, "/v1/files"), Class::Train, TRAINING_DATA),
    deny("openai.files-content", (Any, "/v1/files/{id}/content"), Class::ExportData, TRAINING_DATA),
    deny("openai.files-one", (Any, "/v1/files/{id}"), Class::Train, TRAINING_DATA),
    deny("openai.uploads", (Any, "/v1/uploads"), Class::Train, TRAINING_DATA),
    deny("openai.uploads-one", (Any, "/v1/uploads/{rest*}"), Class::Train, TRAINING_DATA),
    deny("openai.tuning-jobs", (Any, "/v1/fine_tuning/jobs"), Class::Train, TRAINS),
    deny("openai.tuning-jobs-one", (Any, "/v1/fine_tuning/jobs/{rest*}"), Class::Train, TRAINS),
    deny(
        "openai.tuning-checkpoints",
        (Any, "/v1/fine_tuning/checkpoints/{rest*}"),
        Class::Administer,
        "shares a model across projects",
    ),
    deny("openai.tuning-graders", (Any, "/v1/fine_tuning/alpha/{rest*}"), Class::Train, TRAINS),
    deny("openai.evals", (Any, "/v1/evals"), Class::Train, CODE),
    deny("openai.evals-one", (Any, "/v1/evals/{rest*}"), Class::Train, CODE),
    deny("openai.vector-stores", (Any, "/v1/vector_stores"), Class::ExportData, CODE),
    deny("openai.vector-stores-one", (Any, "/v1/vector_stores/{rest*}"), Class::ExportData, CODE),
    deny("openai.containers", (Any, "/v1/containers"), Class::Administer, CODE),
    deny("openai.containers-one", (Any, "/v1/containers/{rest*}"), Class::Administer, CODE),
    deny("openai.skills", (Any, "/v1/skills"), Class::Administer, CODE),
    deny("openai.skills-one", (Any, "/v1/skills/{rest*}"), Class::Administer, CODE),
    deny("openai.chatkit", (Any, "/v1/chatkit/{rest*}"), Class::Administer, CODE),
    deny("openai.organization", (Any, "/v1/organization/{rest*}"), Class::Administer, ORGANISATION),
    deny("openai.projects", (Any, "/v1/projects/{rest*}"), Class::Administer, ORGANISATION),
    // Peers under the same prefix.
    deny("anthropic.messages", (Any, "/v1/messages"), Class::Infer, OTHER_API),
    deny("anthropic.messages-more", (Any, "/v1/messages/{rest*}"), Class::Infer, OTHER_API),
    deny("gemini", (Any, "/v1beta/{rest*}"), Class::Infer, OTHER_API),
    deny(
        "prefix.openai",
        (Any, "/openai/{rest*}"),
        Class::Infer,
        "a second name of the same power; use `/v1`",
    ),
    deny(
        "prefix.engines",
        (Any, "/engines/{rest*}"),
        Class::Infer,
        "a second name of the same power; use `/v1`",
    ),
    deny(
        "prefix.v1-engines",
        (Any, "/v1/engines/{rest*}"),
        Class::Infer,
        "a second name of the same power; use `/v1`",
    ),
    deny("prefix.api", (Any, "/api/{rest*}"), Class::Infer, "a second name of the same power; use `/v1`"),
    deny(
        "prefix.bare-chat",
        (Any, "/chat/completions"),
        Class::Infer,
        "a second name of the same power; use `/v1`",
    ),
    deny(
        "prefix.bare-completions",
        (Any, "/completions"),
        Class::Infer,
        "a second name of the same power; use `/v1`",
    ),
    deny(
        "prefix.bare-responses",
        (Any, "/responses"),
        Class::Infer,
        "a second name of the same power; use `/v1`",
    ),
    deny("prefix.bare-models", (Any, "/models"), Class::Read, "a second name of the same power; use `/v1`"),
    // vLLM.
    deny(
        "vllm.invocations",
        (Any, "/invocations"),
        Class::Infer,
        "a second name of the same power; use `/v1`",
    ),
    deny("vllm.inference", (Any, "/inference/{rest*}"), Class::Infer, "token ids in and out"),
    deny("vllm.completions-render", (Any, "/v1/completions/render"), Class::Read, TOKENIZER),
    deny("vllm.tokenize", (Any, "/tokenize"), Class::Read, TOKENIZER),
    deny("vllm.detokenize", (Any, "/detokenize"), Class::Read, TOKENIZER),
    deny("vllm.tokenizer-info", (Any, "/tokenizer_info"), Class::Read, TOKENIZER),
    deny("vllm.pooling", (Any, "/pooling"), Class::Sensitive, VECTORS),
    deny("vllm.v2-embed", (Any, "/v2/embed"), Class::Sensitive, VECTORS),
    deny("vllm.classify", (Any, "/classify"), Class::Sensitive, VECTORS),
    deny("vllm.score", (Any, "/score"), Class::Sensitive, VECTORS),
    deny("vllm.v1-score", (Any, "/v1/score"), Class::Sensitive, VECTORS),
    deny("vllm.rerank", (Any, "/rerank"), Class::Sensitive, VECTORS),
    deny("vllm.v1-rerank", (Any, "/v1/rerank"), Class::Sensitive, VECTORS),
    deny("vllm.v2-rerank", (Any, "/v2/rerank"), Class::Sensitive, VECTORS),
    deny("vllm.generative-scoring", (Any, "/generative_scoring"), Class::Sensitive, VECTORS),
    deny(
        "vllm.load-adapter",
        (Any, "/v1/load_lora_adapter"),
        Class::Deploy,
        "changes how a model behaves; done by a deployment",
    ),
    deny(
        "vllm.unload-adapter",
        (Any, "/v1/unload_lora_adapter"),
        Class::Deploy,
        "changes how a model behaves; done by a deployment",
    ),
    deny("vllm.weight-transfer", (Any, "/init_weight_transfer_engine"), Class::Administer, WEIGHTS),
    deny("vllm.weight-update-start", (Any, "/start_weight_update"), Class::Train, WEIGHTS),
    deny("vllm.weight-update", (Any, "/update_weights"), Class::Train, WEIGHTS),
    deny("vllm.weight-update-finish", (Any, "/finish_weight_update"), Class::Train, WEIGHTS),
    deny("vllm.weight-version", (Any, "/update_weight_version"), Class::Train, WEIGHTS),
    deny("vllm.weight-checker", (Any, "/weight_checker"), Class::Train, WEIGHTS),
    deny("vllm.pause", (Any, "/pause"), Class::Deploy, SERVER),
    deny("vllm.resume", (Any, "/resume"), Class::Deploy, SERVER),
    deny("vllm.is-paused", (Any, "/is_paused"), Class::Deploy, SERVER),
    deny("vllm.abort", (Any, "/abort_requests"), Class::Deploy, SERVER),
    deny("vllm.scale", (Any, "/scale_elastic_ep"), Class::Deploy, SERVER),
    deny("vllm.sleep", (Any, "/sleep"), Class::Deploy, SERVER),
    deny("vllm.wake-up", (Any, "/wake_up"), Class::Deploy, SERVER),
    deny("vllm.reset-prefix-cache", (Any, "/reset_prefix_cache"), Class::Deploy, SERVER),
    deny("vllm.reset-mm-cache", (Any, "/reset_mm_cache"), Class::Deploy, SERVER),
    deny("vllm.reset-encoder-cache", (Any, "/reset_encoder_cache"), Class::Deploy, SERVER),
    deny("vllm.collective-rpc", (Any, "/collective_rpc"), Class::Administer, "runs code in the server"),
    deny("vllm.server-info", (Any, "/server_info"), Class::Administer, SERVER),
    deny("vllm.start-profile", (Any, "/start_profile"), Class::Administer, SERVER),
    deny("vllm.stop-profile", (Any, "/stop_profile"), Class::Administer, SERVER),
    deny("vllm.metrics", (Any, "/metrics"), Class::Administer, "names and traffic of every model"),
    deny("vllm.load", (Any, "/load"), Class::Administer, SERVER),
    deny("vllm.version", (Any, "/version"), Class::Administer, SERVER),
    deny(
        "vllm.health",
        (Any, "/health"),
        Class::Public,
        "of the server behind; ask the gateway's `/healthz/ready`",
    ),
    deny(
        "vllm.ping",
        (Any, "/ping"),
        Class::Public,
        "of the server behind; ask the gateway's `/healthz/ready`",
    ),
    // llama.cpp.
    deny("llama.completion", (Any, "/completion"), Class::Infer, OTHER_API),
    deny("llama.infill", (Any, "/infill"), Class::Infer, OTHER_API),
    deny("llama.embedding", (Any, "/embedding"), Class::Sensitive, VECTORS),
    deny("llama.embeddings", (Any, "/embeddings"), Class::Sensitive, VECTORS),
    deny("llama.apply-template", (Any, "/apply-template"), Class::Read, TOKENIZER),
    deny("llama.props", (Any, "/props"), Class::Administer, SERVER),
    deny("llama.slots", (Any, "/slots"), Class::Administer, "other callers' parameters and token counts"),
    deny(
        "llama.slots-one",
        (Any, "/slots/{rest*}"),
        Class::Administer,
        "saves, restores and erases other callers' state",
    ),
    deny(
        "llama.adapters",
        (Any, "/lora-adapters"),
        Class::Deploy,
        "changes how a model behaves; done by a deployment",
    ),
];
