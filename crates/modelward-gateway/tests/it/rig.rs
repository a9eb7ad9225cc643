//! A gateway on a port of its own, with people, models and an upstream that remembers what it was sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use modelward_decision::Change;
use modelward_decision::inventory::{Endpoint, OnSensitiveAsk, Protocol, Served, Target};
use modelward_decision::vocabulary::{EndpointId, Field, Name, PersonId, PrincipalRef, Privilege, ScopeRef};
use modelward_gateway::pdp::{Point, Points, PointsConfig};
use modelward_gateway::upstream::{Address, Credential, Credentials, Timeouts, UpstreamConfig};
use modelward_gateway::{Gateway, GatewayConfig, Observation, Observer, Parts, Upstreams};
use modelward_identity::token::{
    Ask, Issuer, KeySet, Profile, ProofKey, SigningKey, Standing, TokenBinding, Verifier,
};
use modelward_identity::{Models, Rights, Strength};
use modelward_testkit::{Deployed, System, World, name};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

pub(crate) const UPSTREAM_SECRET: &str = "upstream-secret-canary";
pub(crate) const UPSTREAM_NAME: &str = "up/stream model";

/// Everything a test touches.
pub(crate) struct Rig {
    pub(crate) system: System,
    pub(crate) people: People,
    pub(crate) upstream: Upstream,
    pub(crate) gateway: SocketAddr,
    pub(crate) seen: Arc<Seen>,
    /// Where other enforcement points ask, if the setup has any.
    pub(crate) points: BTreeMap<Point, SocketAddr>,
    issuer: Issuer,
    stop: Option<oneshot::Sender<()>>,
    served: Option<tokio::task::JoinHandle<()>>,
}

pub(crate) struct People {
    /// May predict.
    pub(crate) ines: PersonId,
    /// May predict and see more than labels.
    pub(crate) sam: PersonId,
    /// May read.
    pub(crate) rita: PersonId,
    /// May do nothing.
    pub(crate) noel: PersonId,
    pub(crate) fraud: Deployed,
    pub(crate) chat: Deployed,
    pub(crate) grant: modelward_decision::vocabulary::GrantId,
}

#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Vec<Observation>>);

impl Observer for Seen {
    fn answered(&self, observation: &Observation) {
        self.0.lock().unwrap().push(observation.clone());
    }
}

impl Seen {
    pub(crate) fn all(&self) -> Vec<Observation> {
        self.0.lock().unwrap().clone()
    }
}

/// Adds to the world before the gateway starts.
pub(crate) type Build = Box<dyn FnOnce(&mut World, &People)>;

/// What a test may turn before the gateway starts.
pub(crate) struct Setup {
    pub(crate) config: GatewayConfig,
    pub(crate) timeouts: Timeouts,
    pub(crate) on_sensitive_ask: OnSensitiveAsk,
    /// Addresses that come before the upstream's own.
    pub(crate) first: Vec<String>,
    pub(crate) tls: Option<modelward_gateway::Tls>,
    pub(crate) world: Build,
    pub(crate) points: Option<PointsConfig>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            config: GatewayConfig::default(),
            timeouts: Timeouts { connect: Duration::from_millis(500), ..Timeouts::default() },
            on_sensitive_ask: OnSensitiveAsk::Refuse,
            first: Vec::new(),
            tls: None,
            world: Box::new(|_, _| ()),
            points: None,
        }
    }
}

fn endpoint(id: EndpointId, called: &str, protocol: Protocol, serves: Vec<Served>) -> Change {
    Change::Endpoint(Arc::new(Endpoint {
        id,
        name: name(called),
        environment: name(World::ENVIRONMENT),
        protocol,
        upstream: name("upstream"),
        approved: true,
        serves,
    }))
}

fn served(model: &Deployed) -> Served {
    Served {
        public_name: model.name.clone(),
        model: model.model,
        target: Target::Version(model.version),
        upstream_name: UPSTREAM_NAME.to_owned(),
    }
}

fn people(world: &mut World) -> People {
    let (fraud, vault) = (world.model("fraud"), world.model("vault"));
    let chat = world.model_speaking("chat", Protocol::OpenAi);
    let (oip, llm) = (world.id(), world.id());
    world.change(endpoint(oip, "oip", Protocol::OpenInference, vec![served(&fraud), served(&vault)]));
    world.change(endpoint(llm, "llm", Protocol::OpenAi, vec![served(&chat)]));
    let (ines, sam) = (world.person("ines"), world.person("sam"));
    let (rita, noel) = (world.person("rita"), world.person("noel"));
    let mut first = None;
    for model in [&fraud, &chat] {
        for person in [ines, sam] {
            let grant = world.grant(Privilege::Inference, person, model.scope()).give();
            first.get_or_insert(grant);
        }
        let all_fields = |grant: &mut modelward_decision::Grant| {
            grant.conditions.fields = Some(Field::ALL.into_iter().collect());
        };
        world.grant(Privilege::InferenceSensitive, sam, model.scope()).with(all_fields).give();
        world.grant(Privilege::ReadOnly, rita, model.scope()).give();
    }
    for endpoint in [oip, llm] {
        world.grant(Privilege::ReadOnly, rita, ScopeRef::Endpoint(endpoint)).give();
    }
    People { ines, sam, rita, noel, fraud, chat, grant: first.unwrap() }
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let Setup { config, timeouts, on_sensitive_ask, first, tls, world: more, points } = setup;
        let (system, people) = System::start(|world| {
            let people = people(world);
            more(world, &people);
            people
        })
        .unwrap();
        if on_sensitive_ask == OnSensitiveAsk::Strip {
            let snapshot = system.publisher.latest();
            let stripping = [people.fraud.model, people.chat.model].map(|id| {
                let model = snapshot.model(id).unwrap().as_ref().clone();
                Change::Model(Arc::new(modelward_decision::inventory::Model { on_sensitive_ask, ..model }))
            });
            system.publish(stripping).unwrap();
        }
        let upstream = Upstream::start().await;
        let replicas: Vec<Address> = first
            .into_iter()
            .chain([format!("http://{}", upstream.address)])
            .map(|address| address.parse().unwrap())
            .collect();
        let credential = Credential::bearer(&UPSTREAM_SECRET.into()).unwrap();
        let upstream_config = UpstreamConfig {
            credentials: Credentials::one(credential),
            timeouts,
            balance: modelward_gateway::upstream::Balance::RoundRobin,
            ..UpstreamConfig::new(name("upstream"), replicas)
        };
        let access = SigningKey::generate(Profile::Access, &*system.ids).unwrap();
        let control = SigningKey::generate(Profile::Control, &*system.ids).unwrap();
        let keys = KeySet::new([(access.public().clone(), Standing::Active)]).unwrap();
        let verifier = Verifier::new(Profile::Access, "https://modelward.test", "https://gw.test", keys);
        let issuer =
            Issuer::new("https://modelward.test", "https://gw.test", access, "https://control.test", control)
                .unwrap();
        let seen = Arc::new(Seen::default());
        let gateway = Gateway::new(Parts {
            config,
            enforcer: system.enforcer.clone(),
            verifier: Arc::new(verifier),
            ids: Arc::clone(&system.ids) as Arc<dyn modelward_seal::source::Ids>,
            upstreams: Upstreams::new([upstream_config]).unwrap(),
            observer: Arc::<Seen>::clone(&seen),
            alone: true,
        })
        .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let points = match points {
            Some(config) => serve_points(&gateway, config).await,
            None => BTreeMap::new(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let stopped = async move { drop(stopped.await) };
            gateway.serve(listener, tls, stopped).await;
        });
        Self {
            system,
            people,
            upstream,
            gateway: address,
            seen,
            points,
            issuer,
            stop: Some(stop),
            served: Some(served),
        }
    }

    /// A token for everything a bearer token may be for.
    pub(crate) fn token(&self, person: PersonId) -> String {
        let rights = [Privilege::ReadOnly, Privilege::Inference];
        self.token_for(person, Rights::new(rights, Models::Any))
    }

    /// A request with a token for everything the data plane knows, by whoever holds the key it is bound to.
    pub(crate) fn bound(&self, method: &str, person: PersonId, path: &str, body: &str) -> String {
        let rights = [Privilege::ReadOnly, Privilege::Inference, Privilege::InferenceSensitive];
        let rights = Rights::new(rights, Models::Any);
        let token = self.token_bound(PrincipalRef::Person(person), rights, Some(holder()));
        self.proved(&holder(), "https://gw.test", method, path, &token, body)
    }

    /// A request with a proof for it by this key.
    pub(crate) fn proved(
        &self,
        key: &ProofKey,
        base: &str,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
    ) -> String {
        use modelward_seal::source::Clock as _;
        let url = format!("{base}{path}");
        let now = self.system.clock.now();
        let proof = key.prove(method, &url, Some(token.as_bytes()), None, &*self.system.ids, now).unwrap();
        let shown = format!("authorization: DPoP {token}\r\ndpop: {proof}\r\n");
        request(method, path, token, body).replacen(&format!("authorization: Bearer {token}\r\n"), &shown, 1)
    }

    pub(crate) fn token_for(&self, person: PersonId, rights: Rights) -> String {
        self.token_as(PrincipalRef::Person(person), rights)
    }

    pub(crate) fn token_as(&self, principal: PrincipalRef, rights: Rights) -> String {
        self.token_bound(principal, rights, None)
    }

    pub(crate) fn token_bound(
        &self,
        principal: PrincipalRef,
        rights: Rights,
        key: Option<ProofKey>,
    ) -> String {
        let binding = key.map(|key| TokenBinding::Key(key.thumbprint()));
        self.token_to(principal, rights, binding)
    }

    pub(crate) fn token_to(
        &self,
        principal: PrincipalRef,
        rights: Rights,
        binding: Option<TokenBinding>,
    ) -> String {
        use modelward_seal::source::Clock as _;
        let who = self.system.sign_in_as(principal, Strength::TwoFactors).unwrap();
        let ask = Ask { profile: Profile::Access, rights, client: name("test"), ttl: None, binding };
        let snapshot = self.system.publisher.latest();
        let now = self.system.clock.now();
        let minted =
            self.issuer.exchange(&who, &ask, &Rights::full(), &*snapshot, &*self.system.ids, now).unwrap();
        minted.text.expose().to_owned()
    }

    pub(crate) async fn get(&self, person: PersonId, path: &str) -> Answer {
        self.ask("GET", person, path, "").await
    }

    pub(crate) async fn post(&self, person: PersonId, path: &str, body: &str) -> Answer {
        self.ask("POST", person, path, body).await
    }

    pub(crate) async fn ask(&self, method: &str, person: PersonId, path: &str, body: &str) -> Answer {
        self.raw(self.bound(method, person, path, body).as_bytes()).await
    }

    pub(crate) async fn raw(&self, bytes: &[u8]) -> Answer {
        exchange(self.gateway, bytes).await
    }

    /// The answer as it arrived.
    pub(crate) async fn raw_text(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.gateway).await.unwrap();
        drop(stream.write_all(bytes).await);
        let mut whole = Vec::new();
        drop(within(stream.read_to_end(&mut whole)).await);
        String::from_utf8_lossy(&whole).into_owned()
    }

    /// Opens a request and leaves the connection to the test.
    pub(crate) async fn open(&self, person: PersonId, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.gateway).await.unwrap();
        stream.write_all(self.bound("POST", person, path, body).as_bytes()).await.unwrap();
        stream
    }

    /// Tells the gateway to stop; ready when it has.
    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(served) = self.served.take() {
            within(served).await.unwrap();
        }
    }

    pub(crate) fn tell_to_stop(&mut self) {
        drop(self.stop.take());
    }
}

/// One listener for each kind of enforcement point, until the test ends.
async fn serve_points(gateway: &Gateway, config: PointsConfig) -> BTreeMap<Point, SocketAddr> {
    let points = Points::new(config);
    let mut addresses = BTreeMap::new();
    for point in [Point::AuthZen, Point::ExtAuthz, Point::ForwardAuth] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.insert(point, listener.local_addr().unwrap());
        let (gateway, points) = (gateway.clone(), points.clone());
        tokio::spawn(async move {
            gateway.serve_point(point, &points, listener, None, std::future::pending()).await;
        });
    }
    addresses
}

/// Nothing here waits for time to pass; what has not happened by then never will.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("it should have happened by now")
}

/// The key of an honest client.
pub(crate) fn holder() -> ProofKey {
    ProofKey::from_seed(zeroize::Zeroizing::new([9; 32])).unwrap()
}

pub(crate) fn request(method: &str, path: &str, token: &str, body: &str) -> String {
    let content = if body.is_empty() {
        String::new()
    } else {
        format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len())
    };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: gw.test\r\nauthorization: Bearer {token}\r\n{content}connection: close\r\n\r\n{body}"
    )
}

pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The gateway may have answered and closed before it has read everything.
    drop(stream.write_all(bytes).await);
    let mut whole = Vec::new();
    drop(within(stream.read_to_end(&mut whole)).await);
    Answer::parse(&whole)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(whole: &[u8]) -> Self {
        let text = String::from_utf8_lossy(whole).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let head = head.to_ascii_lowercase();
        let body = if head.contains("transfer-encoding: chunked") { dechunk(body) } else { body.to_owned() };
        Self { status, head, body }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The body without the id of its decision, which differs every time.
    pub(crate) fn anonymous(&self) -> String {
        let Some((before, after)) = self.body.split_once("(decision ") else { return self.body.clone() };
        let after = after.split_once(')').map_or("", |(_, after)| after);
        format!("{before}(decision){after}")
    }
}

pub(crate) fn dechunk(body: &str) -> String {
    let mut out = String::new();
    let mut rest = body;
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size, 16) else { break };
        let Some(piece) = after.get(..size).filter(|_| size > 0) else { break };
        out.push_str(piece);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    out
}

/// A model server that believes everything and remembers it.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    script: Arc<Mutex<Script>>,
    connections: Arc<Mutex<usize>>,
}

/// How it answers.
#[derive(Clone)]
pub(crate) enum Script {
    /// As a well-behaved server would, by path.
    Plain,
    Json(u16, String),
    /// These bytes, and then either it closes or it goes on.
    Raw(Vec<u8>, bool),
    /// Chunks as the test sends them; the end when the test drops its end.
    Live(Arc<tokio::sync::Mutex<mpsc::UnboundedReceiver<Vec<u8>>>>),
    Hang,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let script = Arc::new(Mutex::new(Script::Plain));
        let connections: Arc<Mutex<usize>> = Arc::default();
        let upstream = Self {
            address,
            seen: Arc::clone(&seen),
            script: Arc::clone(&script),
            connections: Arc::clone(&connections),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *connections.lock().unwrap() += 1;
                tokio::spawn(converse(stream, Arc::clone(&seen), Arc::clone(&script)));
            }
        });
        upstream
    }

    pub(crate) fn answers(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    pub(crate) fn live(&self) -> mpsc::UnboundedSender<Vec<u8>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.answers(Script::Live(Arc::new(tokio::sync::Mutex::new(receiver))));
        sender
    }

    /// Every request so far, head and body as they arrived.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }

    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

async fn converse(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, script: Arc<Mutex<Script>>) {
    let mut buffer = Vec::new();
    loop {
        let length = loop {
            if let Some(length) = whole_request(&buffer) {
                break length;
            }
            match stream.read_buf(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let rest = buffer.split_off(length);
        let request = String::from_utf8_lossy(&buffer).into_owned();
        buffer = rest;
        seen.lock().unwrap().push(request.clone());
        let script = script.lock().unwrap().clone();
        match script {
            Script::Plain => stream.write_all(&plain(&request)).await.unwrap(),
            Script::Json(status, body) => stream.write_all(&json(status, &body)).await.unwrap(),
            Script::Raw(bytes, goes_on) => {
                drop(stream.write_all(&bytes).await);
                if !goes_on {
                    return;
                }
            }
            Script::Live(pieces) => {
                let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(head).await.unwrap();
                while let Some(piece) = pieces.lock().await.recv().await {
                    let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat();
                    if stream.write_all(&chunk).await.is_err() {
                        return;
                    }
                }
                drop(stream.write_all(b"0\r\n\r\n").await);
            }
            Script::Hang => std::future::pending().await,
        }
    }
}

fn whole_request(buffer: &[u8]) -> Option<usize> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let whole = end + length.unwrap_or(0);
    (buffer.len() >= whole).then_some(whole)
}

pub(crate) fn json(status: u16, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nserver: secret-server/1.0\r\nx-internal-host: 10.0.0.3\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) fn events(body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    )
    .into_bytes()
}

fn plain(request: &str) -> Vec<u8> {
    let path = request.split(' ').nth(1).unwrap_or_default();
    let is_stream = request.contains("\"stream\":true") || path.ends_with("/generate_stream");
    let named = format!(r#""model_name":"{UPSTREAM_NAME}","model_version":"1""#);
    match path.rsplit('/').next().unwrap_or_default() {
        "infer" => json(
            200,
            &format!(
                r#"{{{named},"outputs":[{{"name":"label","shape":[1],"datatype":"INT64","data":[1]}},{{"name":"scores","shape":[1,2],"datatype":"FP64","data":[0.98765,0.01235]}}]}}"#
            ),
        ),
        "generate" => json(200, &format!(r#"{{{named},"text_output":"hi","hidden":[1]}}"#)),
        "generate_stream" => events(&format!("data: {{{named},\"text_output\":\"hi\"}}\n\n")),
        "ready" => json(200, ""),
        "embeddings" => json(
            200,
            r#"{"object":"list","model":"x","data":[{"object":"embedding","index":0,"embedding":[0.12345]}],"usage":{"prompt_tokens":1,"total_tokens":1}}"#,
        ),
        "completions" | "responses" if is_stream && path.ends_with("responses") => events(
            "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\"}}\n\n",
        ),
        "completions" if is_stream => events(
            "data: {\"id\":\"c\",\"model\":\"/srv/x.gguf\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"logprobs\":{\"content\":[]}}]}\n\ndata: [DONE]\n\n",
        ),
        "completions" => json(
            200,
            r#"{"id":"c","model":"/srv/x.gguf","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"text":"hi","logprobs":{"content":[{"token":"hi","logprob":-0.12345}]},"finish_reason":"stop"}]}"#,
        ),
        "responses" => json(
            200,
            r#"{"id":"r","object":"response","model":"/srv/x.gguf","status":"completed","output":[]}"#,
        ),
        _ => json(
            200,
            &format!(
                r#"{{"name":"{UPSTREAM_NAME}","versions":["1"],"platform":"sklearn","inputs":[{{"name":"x","datatype":"FP32","shape":[-1,2]}}],"outputs":[],"parameters":{{"uri":"/srv/model"}}}}"#
            ),
        ),
    }
}

pub(crate) const INFER: &str = r#"{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}"#;
pub(crate) const CHAT: &str = r#"{"model":"chat","messages":[{"role":"user","content":"hi"}]}"#;
pub(crate) const CHAT_STREAM: &str =
    r#"{"model":"chat","messages":[{"role":"user","content":"hi"}],"stream":true}"#;

/// For lists of segments.
pub(crate) fn named(text: &str) -> Name {
    name(text)
}
