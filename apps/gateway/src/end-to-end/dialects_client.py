"""Reads each of SIGNALBOX_REPLIES (name, model, question) from SIGNALBOX_BASE_URL in the ways the official client streams; prints one JSON object."""

import json
import os
import traceback

import openai

TOOLS = json.loads(os.environ["SIGNALBOX_TOOLS"])
client = openai.OpenAI(base_url=os.environ["SIGNALBOX_BASE_URL"], api_key="EMPTY", max_retries=0)


def called(call):
    return {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}


def with_helper(request):
    content, done = "", []
    with client.chat.completions.stream(**request) as events:
        for event in events:
            if event.type == "content.delta":
                content += event.delta
            elif event.type == "tool_calls.function.arguments.done":
                done.append({"name": event.name, "arguments": event.arguments})
        choice = events.get_final_completion().choices[0]
    message = choice.message
    calls = [called(call) for call in message.tool_calls or []]
    assert message.role == "assistant", message
    assert (message.content or "") == content, message
    assert done == [{"name": call["name"], "arguments": call["arguments"]} for call in calls], done
    return {"content": content, "reasoning": getattr(message, "reasoning_content", None), "calls": calls, "finish": choice.finish_reason}


def as_chunks(request):
    content, reasoning, calls, finishes = "", "", [], []
    for chunk in client.chat.completions.create(stream=True, **request):
        choice = chunk.choices[0]
        content += choice.delta.content or ""
        reasoning += getattr(choice.delta, "reasoning_content", None) or ""
        for call in choice.delta.tool_calls or []:
            assert call.index == len(calls), call
            calls.append(called(call))
        if choice.finish_reason:
            finishes.append(choice.finish_reason)
    assert len(finishes) == 1, finishes
    return {"content": content, "reasoning": reasoning, "calls": calls, "finish": finishes[0]}


def outcome(read, reply):
    request = {"model": reply["model"], "messages": [{"role": "user", "content": reply["question"]}], "tools": TOOLS}
    try:
        return read(request)
    except Exception:
        return {"complaint": traceback.format_exc()}


print(
    json.dumps(
        {
            reply["name"]: {"helper": outcome(with_helper, reply), "chunks": outcome(as_chunks, reply)}
            for reply in json.loads(os.environ["SIGNALBOX_REPLIES"])
        }
    )
)
