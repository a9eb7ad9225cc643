//! No secret in a log line: every line of this test process is kept, and looked through.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::rig::{CHAT, CHAT_STREAM, INFER, Rig, Script, UPSTREAM_SECRET};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_credential_or_prompt_is_ever_logged() {
    let kept = Kept::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(kept.clone())
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let rig = Rig::start().await;
    let token = rig.token(rig.people.ines);
    let prompt = CHAT.replace("hi", "prompt-canary");
    for body in [prompt.as_str(), CHAT_STREAM, "{\"model\":\"chat\",\"key-canary\":\"value-canary\"}"] {
        rig.raw(crate::rig::request("POST", "/llm/v1/chat/completions", &token, body).as_bytes()).await;
    }
    let url = format!("/oip/v2/models?access_token={token}");
    rig.raw(crate::rig::request("GET", &url, &token, "").as_bytes()).await;
    rig.raw(crate::rig::request("GET", "/oip/v2/models", &format!("{token}x"), "").as_bytes()).await;
    for script in [
        Script::Json(500, "\"answer-canary\"".to_owned()),
        Script::Json(200, "answer-canary".to_owned()),
        Script::Raw(b"answer-canary".to_vec(), false),
    ] {
        rig.upstream.answers(script);
        rig.post(rig.people.ines, "/oip/v2/models/fraud/infer", INFER).await;
    }
    let lines = String::from_utf8_lossy(&kept.0.lock().unwrap()).into_owned();
    assert!(
        lines.contains("modelward::access") && lines.contains("openai.chat"),
        "nothing was kept: {lines}"
    );
    for secret in [&token, UPSTREAM_SECRET, "prompt-canary", "value-canary", "answer-canary", "eyJ"] {
        // Only our own crates speak here; hyper's trace level shows parsed headers and is never on in production.
        let leak = lines.lines().find(|line| line.contains(secret) && line.contains("modelward"));
        assert!(leak.is_none(), "{leak:?}");
    }
}
