"""Everything that a program does with the official client, against SIGNALBOX_BASE_URL; prints one JSON object of results."""

import json
import os
import time

import openai

BASE_URL = os.environ["SIGNALBOX_BASE_URL"]
M2 = "MiniMaxAI/MiniMax-M2"
TOOLS = json.loads(os.environ["SIGNALBOX_TOOLS"])
HI = [{"role": "user", "content": "hi"}]
COUNT = [{"role": "user", "content": "count"}]
TOOL = [{"role": "user", "content": "use the tool"}]

client = openai.OpenAI(base_url=BASE_URL, api_key="EMPTY", max_retries=0)
results = {}


def check(function):
    """Runs it at once; its name is the name of its result."""
    try:
        results[function.__name__] = function()
    except openai.APIError as error:
        results[function.__name__] = {
            "raised": type(error).__name__,
            "server_error": isinstance(error, openai.InternalServerError),
            "status": getattr(error, "status_code", None),
            "code": error.code,
            "param": error.param,
            "message": error.message,
            "retry_after": error.response.headers.get("retry-after") if hasattr(error, "response") else None,
        }
    return function


def ask(model, **more):
    return client.chat.completions.create(model=model, messages=more.pop("messages", HI), **more)


@check
def chat():
    answer = ask(M2, messages=COUNT)
    choice = answer.choices[0]
    return {"text": choice.message.content, "finish": choice.finish_reason, "model": answer.model, "total": answer.usage.total_tokens}


@check
def stream():
    text, finishes, usages = "", [], 0
    for chunk in ask(M2, messages=COUNT, stream=True):
        usages += chunk.usage is not None
        text += chunk.choices[0].delta.content or ""
        if chunk.choices[0].finish_reason:
            finishes.append(chunk.choices[0].finish_reason)
    return {"text": text, "finishes": finishes, "usages": usages}


@check
def stream_helper():
    with client.chat.completions.stream(model=M2, messages=COUNT) as events:
        pieces = [event.delta for event in events if event.type == "content.delta"]
        final = events.get_final_completion()
    return {"pieces": "".join(pieces), "text": final.choices[0].message.content}


@check
def stream_usage():
    chunks = list(ask(M2, messages=COUNT, stream=True, stream_options={"include_usage": True}))
    usages = [chunk for chunk in chunks if chunk.usage is not None]
    return {"usages": len(usages), "choices": len(usages[0].choices), "tokens": usages[0].usage.completion_tokens}


@check
def several_choices():
    answer = ask(M2, n=3)
    finished = {}
    for chunk in ask(M2, n=3, stream=True):
        for choice in chunk.choices:
            if choice.finish_reason:
                finished[choice.index] = choice.finish_reason
    return {"indexes": [choice.index for choice in answer.choices], "finished": sorted(finished)}


def call_of(call):
    return {"name": call.function.name, "arguments": json.loads(call.function.arguments), "has_id": bool(call.id)}


@check
def tool_call():
    choice = ask(M2, messages=TOOL, tools=TOOLS).choices[0]
    return {"finish": choice.finish_reason, "calls": [call_of(call) for call in choice.message.tool_calls]}


@check
def tool_call_streamed():
    with client.chat.completions.stream(model=M2, messages=TOOL, tools=TOOLS) as events:
        choice = events.get_final_completion().choices[0]
    return {"finish": choice.finish_reason, "calls": [call_of(call) for call in choice.message.tool_calls]}


@check
def completions():
    whole = client.completions.create(model=M2, prompt="Once upon a time").choices[0]
    pieces = [chunk.choices[0] for chunk in client.completions.create(model=M2, prompt="Once upon a time", stream=True)]
    return {"same": "".join(piece.text for piece in pieces) == whole.text, "length": len(whole.text), "finish": pieces[-1].finish_reason}


@check
def embeddings():
    answer = client.embeddings.create(model="org/team/small-model", input=["one", "two"])
    return {"count": len(answer.data), "floats": all(isinstance(value, float) for value in answer.data[0].embedding)}


@check
def models():
    ids = [model.id for model in client.models.list()]
    return {"ids": ids, "retrieved": [client.models.retrieve(id).id for id in ids]}


@check
def headers():
    answer = client.chat.completions.with_raw_response.create(model="auto", messages=HI, extra_headers={"x-request-id": "from-python"})
    return {name: value for name, value in answer.headers.items() if name.startswith("x-")}


@check
def wrong_type():
    return ask(M2, temperature="hot")


@check
def wrong_key():
    return openai.OpenAI(base_url=os.environ["SIGNALBOX_KEYED_URL"], api_key="wrong", max_retries=0).models.list()


def keyed(model):
    other = openai.OpenAI(base_url=os.environ["SIGNALBOX_KEYED_URL"], api_key="key-few", max_retries=0)
    return other.chat.completions.create(model=model, messages=HI)


@check
def model_not_allowed():
    return keyed("large")


@check
def rate_limited():
    keyed("org/team/small-model")
    return keyed("org/team/small-model")


@check
def unknown_model():
    return ask("gpt-5")


@check
def unknown_address():
    return client.moderations.create(input="x")


@check
def too_large():
    return ask(M2, messages=[{"role": "user", "content": "x" * 100_000}])


@check
def engine_refuses():
    return ask("refuses")


@check
def engine_fails():
    return ask("fails")


@check
def engine_busy():
    return ask("busy")


@check
def engine_silent():
    return ask("silent", stream=True)


@check
def engine_gone():
    return ask("gone")


@check
def stream_cut():
    results["stream_cut_pieces"] = 0
    for chunk in ask("cuts", stream=True):
        results["stream_cut_pieces"] += bool(chunk.choices[0].delta.content)


@check
def nothing_listens():
    return openai.OpenAI(base_url="http://127.0.0.1:1/v1", api_key="x", max_retries=0).models.list()


@check
def abort():
    chunks = ask("slow", stream=True)
    for chunk in chunks:
        if chunk.choices[0].delta.content:
            break
    began = time.time()
    chunks.close()
    return {"closed_at_ms": began * 1000}


print(json.dumps(results))
