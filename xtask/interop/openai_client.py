"""The stock `openai` client against the gateway: what works, what is refused, and what is left out."""

import os
import subprocess
import sys
import tempfile
import time

import openai
from openai import OpenAI

from system import Checks, holder, load, one_time_code, sign_in, token

info = load()
offer = info["openai"]
model = offer["model"]
checks = Checks()
question = [{"role": "user", "content": "What is the margin?"}]


def client_of(user, scope):
    access = token(info, sign_in(info, user), scope)
    return OpenAI(base_url=offer["base_url"], api_key=access, max_retries=0, timeout=30)


def refusal(name, call):
    """The call must be refused in the API's own shape, with a message and a decision to ask about."""
    try:
        call()
        checks.expect(name, False, "it was answered")
    except openai.APIStatusError as error:
        held = error.status_code == 403 and bool(error.body and error.body.get("message"))
        checks.expect(name, held, f"{error.status_code} {error.body}")


caller = client_of(holder(info, "inference", without=("inference-sensitive",)), "inference")

models = [entry.id for entry in caller.models.list()]
checks.expect("the model list has the model", model in models, models)

answer = caller.chat.completions.create(model=model, messages=question, temperature=0)
text = answer.choices[0].message.content
checks.expect("a chat is answered", bool(text) and answer.usage.completion_tokens > 0)
checks.expect("an answer carries no log probabilities unasked", answer.choices[0].logprobs is None)

told, usage = "", None
stream = caller.chat.completions.create(
    model=model, messages=question, temperature=0, stream=True, stream_options={"include_usage": True}
)
for chunk in stream:
    usage = chunk.usage or usage
    told += "".join(choice.delta.content or "" for choice in chunk.choices)
checks.expect("a stream tells the same", told == text, told)
checks.expect("a stream ends with usage", usage is not None and usage.completion_tokens > 0)

completion = caller.completions.create(model=model, prompt="The radius is", max_tokens=8, temperature=0)
checks.expect("a prompt is completed", bool(completion.choices[0].text))

response = caller.responses.create(model=model, input="What is the texture?", temperature=0, store=False)
checks.expect("a response is given", bool(response.output_text))

events = [
    event.type
    for event in caller.responses.create(
        model=model, input="What is the texture?", temperature=0, store=False, stream=True
    )
]
checks.expect(
    "a response streams from created to completed",
    events[:1] == ["response.created"] and events[-1:] == ["response.completed"],
    events,
)


def without_logprobs(name, call):
    """Refused or stripped, as policy says; never given."""
    try:
        found = call()
        checks.expect(name, not found, found)
    except openai.APIStatusError as error:
        checks.expect(name, error.status_code == 403, f"{error.status_code} {error.body}")


without_logprobs(
    "log probabilities stay away from whoever may only predict",
    lambda: caller.chat.completions.create(
        model=model, messages=question, temperature=0, logprobs=True, top_logprobs=2
    ).choices[0].logprobs,
)
without_logprobs(
    "log probabilities of a prompt do too",
    lambda: caller.completions.create(model=model, prompt="The", max_tokens=1, echo=True, logprobs=1)
    .choices[0]
    .logprobs,
)
without_logprobs(
    "log probabilities in a stream do too",
    lambda: [
        choice.logprobs
        for chunk in caller.chat.completions.create(
            model=model, messages=question, temperature=0, logprobs=True, stream=True
        )
        for choice in chunk.choices
        if choice.logprobs
    ],
)
refusal("embeddings are refused", lambda: caller.embeddings.create(model=model, input="radius"))
refusal(
    "steering the sampler is refused",
    lambda: caller.chat.completions.create(model=model, messages=question, logit_bias={"300": 5}),
)

try:
    caller.files.list()
    checks.expect("a path that nobody classified is refused", False, "it was answered")
except openai.APIStatusError as error:
    checks.expect("a path that nobody classified is refused", error.status_code in (403, 404), error.status_code)

try:
    stranger = OpenAI(base_url=offer["base_url"], api_key="not-a-token", max_retries=0, timeout=30)
    stranger.chat.completions.create(model=model, messages=question)
    checks.expect("a stranger is refused", False, "it was answered")
except openai.AuthenticationError:
    checks.expect("a stranger is refused", True)

# Nobody can be given that right directly: where no request was approved, nobody holds it.
if any({"inference", "inference-sensitive"} <= set(user["holds"]) for user in info["users"]):
    sensitive = client_of(holder(info, "inference", "inference-sensitive"), "inference inference-sensitive")
    answer = sensitive.chat.completions.create(
        model=model, messages=question, temperature=0, logprobs=True, top_logprobs=2
    )
    found = answer.choices[0].logprobs
    checks.expect(
        "whoever may see log probabilities gets them",
        found is not None and len(found.content) == answer.usage.completion_tokens,
    )


# The same package with an agent around it: nothing but its own two variables, and a token no thief can use.
ASK = """
import sys
from openai import APIStatusError, OpenAI
client = OpenAI(max_retries=0, timeout=30)
question = [{"role": "user", "content": "What is the margin?"}]
text = client.chat.completions.create(model=sys.argv[1], messages=question, temperature=0)
told = ""
for chunk in client.chat.completions.create(model=sys.argv[1], messages=question, temperature=0, stream=True):
    told += "".join(choice.delta.content or "" for choice in chunk.choices)
assert told == text.choices[0].message.content, told
assert sys.argv[1] in [entry.id for entry in client.models.list()]
try:
    client.embeddings.create(model=sys.argv[1], input="radius")
    raise SystemExit("embeddings were answered")
except APIStatusError as error:
    assert error.status_code == 403 and error.body["message"], error
print(told)
"""


def modelward(home, *args, typed=""):
    environment = {"HOME": home, "PATH": os.environ["PATH"]}
    command = [os.environ["MODELWARD"], *args]
    return subprocess.run(command, input=typed, env=environment, capture_output=True, text=True, timeout=90)


def login(home, user):
    """As `sign_in`, on the command line."""
    for _ in range(3):
        now = time.time()
        code = one_time_code(user["totp_secret"], now + 30)
        arguments = ["login", user["name"], "--server", info["control_url"], "--password-stdin", "--totp", code]
        said = modelward(home, *arguments, typed=user["password"] + "\n")
        if said.returncode == 0:
            return
        time.sleep(30 - now % 30 + 1)
    raise SystemExit(f"{user['name']} cannot sign in: {said.stderr}")


with tempfile.TemporaryDirectory() as home:
    login(home, holder(info, "inference", without=("inference-sensitive",)))
    endpoint = offer["base_url"].split("/")[-2]
    said = modelward(home, "exec", "--endpoint", endpoint, "--", sys.executable, "-c", ASK, model)
    checks.expect("through the agent it asks, streams, lists and is refused", said.returncode == 0, said.stderr)
    checks.expect("and is told the same", text in said.stdout, said.stdout)

checks.finish()
