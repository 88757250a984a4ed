import { describe, expect, test } from "vitest";
import { assemble, createCalls, entry, shown } from "./engine-replies.ts";

const paris = '{"city": "Paris"}';
const rome = '{"city": "Rome"}';

describe("which entries are one call", () => {
  test("two ids at one index are two calls", () => {
    const pushes = [[entry(0, "a", "get_weather", paris)], [entry(0, "b", "get_weather", rome)]];
    expect(shown(pushes)).toEqual([`get_weather ${paris}`, `get_weather ${rome}`]);
    expect(shown([pushes.flat()])).toEqual(shown(pushes));
  });

  test("one id, or none, with nothing but arguments goes on", () => {
    const head = [entry(0, "a", "get_weather", "")];
    expect(shown([head, [entry(0, "a", null, '{"city"')], [entry(0, null, null, ': "Paris"}')]])).toEqual([
      `get_weather ${paris}`,
    ]);
  });

  test("a new id in every delta makes no new call as long as it has no name", () => {
    const pushes = [
      [entry(0, "a", "get_weather")],
      [entry(0, "b", null, '{"city": ')],
      [entry(0, "c", null, '"Paris"}')],
    ];
    expect(shown(pushes)).toEqual([`get_weather ${paris}`]);
    expect(assemble(pushes).calls[0]?.id).toBe("a");
  });

  test("without an index, new ids count", () => {
    const pushes = [
      [entry(undefined, "a", "exec", '{"cmd":')],
      [entry(undefined, "a", undefined, '"ls"}')],
      [entry(undefined, "b", "noargs", "{}")],
    ];
    expect(shown(pushes)).toEqual(['exec {"cmd":"ls"}', "noargs {}"]);
  });

  test("without an index and an id, a name behind complete arguments begins a call", () => {
    const pushes = [[entry(undefined, null, "get_weather", paris), entry(undefined, null, "get_weather", rome)]];
    expect(shown(pushes)).toEqual([`get_weather ${paris}`, `get_weather ${rome}`]);
  });

  test("an index of -1, of a place in tools, or a huge one counts as little as its size", () => {
    const pushes = [
      [entry(-1, "a", "exec", "{}"), entry(-1, "b", "noargs", "{}")],
      [entry(2, "c", "noargs", "{}")],
      [entry(1e300, "d", "exec", "{}")],
    ];
    expect(assemble(pushes).calls.map(({ id }) => id)).toEqual(["a", "b", "c", "d"]);
  });

  test("a name that comes with every delta counts once", () => {
    const pieces = ["", '{"ci', 'ty": ', '"Paris"', "}", "", "\n"];
    expect(shown(pieces.map((piece) => [entry(0, "a", "get_weather", piece)]))).toEqual([`get_weather ${paris}\n`]);
    expect(shown(pieces.map((piece) => [entry(undefined, null, "get_weather", piece)]))).toEqual([
      `get_weather ${paris}\n`,
    ]);
  });

  test("another name at the same index is another call", () => {
    expect(shown([[entry(0, null, "exec", "{}")], [entry(0, null, "noargs", "{}")]])).toEqual(["exec {}", "noargs {}"]);
    expect(shown([[entry(0, null, "noargs", "")], [entry(0, null, "exec", "{}")]])).toEqual(["noargs {} *", "exec {}"]);
  });

  test("a declared name in two pieces is one name", () => {
    expect(shown([[entry(0, "a", "get_")], [entry(0, null, "weather")], [entry(0, null, null, paris)]])).toEqual([
      `get_weather ${paris}`,
    ]);
  });

  test("an entry without a name goes on with the last call", () => {
    const text = '{"c":1{"c":1,"d":2}';
    expect(shown([[entry(0, "a", "exec", ""), entry(1, null, null, text)]])).toEqual(['exec {"c":1,"d":2} *']);
  });

  test("arguments that all come with the index of the first call find the last one", () => {
    const pushes = [
      [entry(0, "a", "get_weather", paris)],
      [entry(1, "b", "get_weather", "")],
      [entry(0, null, null, '{"city":')],
      [entry(0, null, null, ' "Rome"}')],
    ];
    expect(shown(pushes)).toEqual([`get_weather ${paris}`, `get_weather ${rome}`]);
  });

  test("calls that come interleaved come out in the order in which they began", () => {
    const pushes = [
      [entry(0, "a", "get_weather", '{"city": ')],
      [entry(1, "b", "exec", "{")],
      [entry(0, null, null, '"Paris"}')],
      [entry(1, null, null, "}")],
    ];
    expect(shown(pushes)).toEqual([`get_weather ${paris}`, "exec {}"]);
  });

  test("text for a call that is over fails by itself", () => {
    const pushes = [[entry(0, "a", "exec", "{}")], [entry(1, "b", "exec", "{}")], [entry(0, null, null, "more")]];
    expect(shown(pushes)).toEqual(["exec {}", "exec {}", "FAILED undefined more"]);
  });

  test("what was never named is no call", () => {
    expect(shown([[entry(0, "a", null, paris)]])).toEqual([`FAILED undefined ${paris}`]);
    expect(shown([[entry(0, null, null, "")]])).toEqual([]);
  });

  test("a call that is sent again with its id comes out once", () => {
    const call = entry(0, "a", "exec", '{"cmd":"ls"}');
    expect(shown([[call], [call]])).toEqual(['exec {"cmd":"ls"}']);
    expect(shown([[call, entry(1, "b", "noargs", "{}"), call]])).toEqual(['exec {"cmd":"ls"}', "noargs {}"]);
  });
});

describe("as real engines stream", () => {
  const pieces = ["{", '"', "city", '":', ' "', "Paris", '"}'];

  test("vLLM: the head without arguments, nulls, and the last call cut", () => {
    const pushes = [
      null,
      [{ id: "a", type: "function", index: 0, function: { name: "get_weather" } }],
      ...pieces.map((piece) => [{ index: 0, function: { arguments: piece } }]),
      [{ id: "b", type: "function", index: 1, function: { name: "get_weather" } }],
      [{ index: 1, function: { arguments: '{"' } }],
      [{ index: 1, function: { arguments: 'city":' } }],
    ];
    expect(shown(pushes, "length")).toEqual([`get_weather ${paris}`, 'FAILED get_weather {"city":']);
  });

  test("llama-server: the head with the first piece; whole without indexes", () => {
    const [first, ...rest] = pieces;
    const pushes = [
      [entry(0, "a", "get_weather", first)],
      ...rest.map((piece) => [{ index: 0, function: { arguments: piece } }]),
    ];
    expect(shown(pushes)).toEqual([`get_weather ${paris}`]);
    const whole = [entry(undefined, "a", "get_weather", paris), entry(undefined, "b", "get_weather", '{"city')];
    expect(shown([whole], "length")).toEqual([`get_weather ${paris}`, 'FAILED get_weather {"city']);
  });

  test("llama-cpp-python: id and name with every piece", () => {
    expect(shown(pieces.map((piece) => [entry(0, "a", "get_weather", piece)]))).toEqual([`get_weather ${paris}`]);
  });
});

describe("when a call comes out", () => {
  test("it waits for the next one, or the end", () => {
    const engine = createCalls();
    expect(engine.pending).toBe(false);
    engine.push([entry(0, "a", "exec", "{}")]);
    expect(engine.take()).toEqual([]);
    expect(engine.pending).toBe(true);
    engine.push([entry(1, "b", "noargs")]);
    expect(engine.take().map(({ id }) => id)).toEqual(["a"]);
    expect(engine.take()).toEqual([]);
    expect(engine.end("stop").calls.map(({ id }) => id)).toEqual(["b"]);
    expect(engine.pending).toBe(false);
    expect(engine.end("stop")).toEqual({ calls: [], leftovers: [] });
  });

  test("nothing parsed gives nothing", () => {
    expect(assemble([null, [], [null]])).toEqual({ calls: [], leftovers: [] });
  });
});

describe("arguments", () => {
  const argumentsOf = (args: unknown, finish?: string, name = "get_weather") =>
    shown([[entry(0, "a", name, args)]], finish).map((line) => line.replace(`${name} `, ""));

  test("that are a JSON object stay byte for byte", () => {
    const text = ' {"n": 12345678901234567890, "f":1.0, "n":1}\n';
    expect(argumentsOf(text)).toEqual([text]);
    expect(argumentsOf(text, "length")).toEqual([text]);
  });

  test("as an object become text", () => {
    expect(argumentsOf({ city: "Paris" })).toEqual(['{"city":"Paris"}']);
    expect(shown([[{ name: "exec", arguments: {} }]])).toEqual(["exec {}"]);
  });

  test("as a string in a string are decoded", () => {
    expect(argumentsOf(JSON.stringify(paris))).toEqual([`${paris} *`]);
    expect(argumentsOf(JSON.stringify(JSON.stringify(paris)))).toEqual([`${paris} *`]);
    expect(argumentsOf(JSON.stringify("{'city': 'Paris'}"))).toEqual(['{"city": "Paris"} *']);
  });

  test.each(["", null, undefined, "null", " \n", '""'])("that are %j become {} where the tool needs none", (args) => {
    expect(argumentsOf(args, "stop", "noargs")).toEqual(["{} *"]);
    expect(argumentsOf(args, "stop", "exec")).toEqual(["{} *"]);
    expect(argumentsOf(args, "stop", "unknown")).toEqual(["{} *"]);
    expect(argumentsOf(args, "stop")[0]).toMatch(/^FAILED/);
    expect(argumentsOf(args, "length", "noargs")[0]).toMatch(/^FAILED/);
  });

  test.each([
    ['{"city": "Paris"', '{"city": "Paris"}'],
    ['{"a": {"b": [1, {"c": "}"', '{"a": {"b": [1, {"c": "}"}]}}'],
    ['{"a": {"a": {"a": 1}}', '{"a": {"a": {"a": 1}}}'],
  ])("that lack closers get them unless the reply was cut: %s", (args, closed) => {
    expect(argumentsOf(args, "tool_calls")).toEqual([`${closed} *`]);
    expect(argumentsOf(args, "stop")).toEqual([`${closed} *`]);
    for (const finish of ["length", "abort", "content_filter"]) {
      expect(argumentsOf(args, finish)).toEqual([`FAILED ${args}`]);
    }
  });

  test("count as cut when no finish_reason came", () => {
    const engine = createCalls();
    engine.push([entry(0, "a", "exec", "{}"), entry(1, "b", "exec", '{"cmd": "ls"')]);
    const { calls, leftovers } = engine.end(undefined);
    expect(calls.map(({ id }) => id)).toEqual(["a"]);
    expect(leftovers).toEqual([{ name: "exec", raw: '{"cmd": "ls"' }]);
  });

  test.each([
    '{"city":',
    '{"city": "Par',
    '{"city": "Paris",',
    '{"city": {',
    "{",
    "[1]",
    "7",
    "true",
    "x",
    '"x"',
    '[{"a":1}]',
  ])("that nobody can put right fail: %s", (args) => {
    expect(argumentsOf(args, "tool_calls")).toEqual([`FAILED ${args}`]);
    expect(argumentsOf(args, "length")).toEqual([`FAILED ${args}`]);
  });

  test("that are nearly JSON are repaired, also in a reply that was cut behind them", () => {
    expect(argumentsOf("{'city': 'Paris',}")).toEqual(['{"city": "Paris"} *']);
    expect(argumentsOf("{'city': 'Paris',}", "length")).toEqual(['{"city": "Paris"} *']);
  });

  test("that begin again count from there only if they begin alike", () => {
    expect(argumentsOf('{"c":1{"c":1,"d":2}')).toEqual(['{"c":1,"d":2} *']);
    expect(argumentsOf('{"c":"a{"c":"a{b}"}')).toEqual(['{"c":"a{b}"} *']);
    expect(argumentsOf('{"c":1} {"c":1}')).toEqual(['{"c":1} *']);
    expect(argumentsOf('{"c":1}{"c":12}')).toEqual(['FAILED {"c":1}{"c":12}']);
    expect(argumentsOf('{"c":1{"d":1}')).toEqual(['FAILED {"c":1{"d":1}']);
  });

  test("that are cut leave the complete call beside them alone", () => {
    const pushes = [[entry(0, "a", "get_weather", paris), entry(1, "b", "get_weather", '{"city":')]];
    expect(shown(pushes, "length")).toEqual([`get_weather ${paris}`, 'FAILED get_weather {"city":']);
  });

  test("nested more than 512 deep fail", () => {
    const nested = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
    expect(argumentsOf(nested(512))).toEqual([nested(512)]);
    expect(argumentsOf(nested(513))).toEqual([`FAILED ${nested(513)}`]);
  });

  test("too deep for the stack fail", () => {
    const deep = JSON.parse(`${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`) as unknown;
    expect(argumentsOf(deep, "stop", "noargs")).toEqual(["FAILED [object Object]"]);
  });
});

describe("names and ids", () => {
  test.each([
    ["functions.exec<|channel|>commentary", "exec"],
    ["exec<|constrain|>json", "exec"],
    ["functions.exec", "exec"],
    ["functions.exec:3", "exec"],
    ["other<|channel|>analysis", "other"],
    [" exec", "exec"],
  ])("the name %s is %s", (name, expected) => {
    expect(shown([[entry(0, "a", name, "{}")]])).toEqual([`${expected} {} *`]);
  });

  test.each(["exec", "functions.other", "other"])("the name %s stays", (name) => {
    expect(shown([[entry(0, "a", name, "{}")]])).toEqual([`${name} {}`]);
  });

  test("a name of nothing but tokens is no call", () => {
    expect(shown([[entry(0, "a", "<|channel|>", "{}")]])).toEqual(["FAILED <|channel|> {}"]);
  });

  test("ids of the engine stay, missing ones are made, and neither counts as a repair", () => {
    const { calls } = assemble([
      [
        entry(0, "functions.exec:0", "exec", "{}"),
        entry(1, null, "noargs", "{}"),
        { id: 7, name: "exec", arguments: "{}" },
      ],
    ]);
    expect(calls.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      "functions.exec:0 clean",
      "new_1 clean",
      "7 clean",
    ]);
  });

  test("an id that another call has is made anew, and counts as a repair", () => {
    const { calls } = assemble([
      [
        entry(0, null, "exec", "{}"),
        entry(1, "new_1", "noargs", "{}"),
        entry(2, "x", "exec", "{}"),
        entry(3, "x", "noargs", "{}"),
      ],
    ]);
    expect(calls.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      "new_1 clean",
      "new_2 repaired",
      "x clean",
      "new_3 repaired",
    ]);
  });
});
