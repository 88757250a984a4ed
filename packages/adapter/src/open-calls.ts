import { readArguments } from "./engine-arguments.ts";
import type { EngineEntry } from "./engine-entry.ts";
import { engineName } from "./engine-name.ts";
import { OpenJson } from "./open-json.ts";
import type { ToolSet } from "./tools.ts";

/** A call as far as its engine has sent it. */
export interface OpenCall {
  id: string | undefined;
  index: number | undefined;
  /** As the engine wrote it, once it came. */
  rawName: string | undefined;
  /** The name of the tool; empty as long as there is none. */
  name: string;
  text: string;
  /** The end of `text` that `json` has not seen. */
  unseen: string;
  readonly json: OpenJson;
  /** The arguments as the client gets them, once a next call has begun and they are valid. */
  settled: string | undefined;
}

function isComplete(call: OpenCall): boolean {
  call.json.push(call.unseen);
  call.unseen = "";
  return call.json.isComplete;
}

/** Finds out which entries of an engine's `tool_calls` are one call, whatever their indexes and ids say. */
export class OpenCalls {
  /** In the order in which they began. */
  readonly calls: OpenCall[] = [];
  readonly #tools: ToolSet;
  readonly #byIndex = new Map<number, OpenCall>();
  readonly #byId = new Map<string, OpenCall>();

  constructor(tools: ToolSet) {
    this.#tools = tools;
  }

  push(entry: EngineEntry): void {
    const { index, id, name, text } = entry;
    if (id === undefined && name === undefined && text === "") return;
    const found = this.#find(entry);
    const same = found === undefined || this.#beginsNext(found, entry) ? undefined : this.#stillOpen(found, text);
    const call = same ?? this.#begin();
    if (call.settled !== undefined) return;
    if (call.index === undefined && index !== undefined) this.#byIndex.set(index, call);
    if (call.id === undefined && id !== undefined) this.#byId.set(id, call);
    call.index ??= index;
    call.id ??= id;
    if (name !== undefined) this.#addName(call, name);
    call.text += text;
    call.unseen += text;
  }

  /** The call that an entry goes on with, if it goes on with one. */
  #find({ index, id, name }: EngineEntry): OpenCall | undefined {
    const there = index === undefined ? undefined : this.#byIndex.get(index);
    if (there !== undefined && (id === undefined || there.id === undefined || there.id === id)) return there;
    const known = id === undefined ? undefined : this.#byId.get(id);
    if (known !== undefined) return known;
    if (name !== undefined) return index === undefined && id === undefined ? this.calls.at(-1) : undefined;
    // vLLM once made up a new id for every delta: without a name it begins no call.
    return there ?? (id === undefined ? this.calls.at(-1) : undefined);
  }

  /** An entry with a name begins another call than the one that its index or id points at. */
  #beginsNext(call: OpenCall, { index, name, text }: EngineEntry): boolean {
    if (name === undefined || call.rawName === undefined) return false;
    if (call.index !== undefined && index !== undefined && call.index !== index) return true;
    if (engineName(name, this.#tools) !== call.name) return !this.#isSecondHalf(call, name);
    return /^\s*["{]/.test(text) && isComplete(call);
  }

  #isSecondHalf(call: OpenCall, name: string): boolean {
    return call.text === "" && !this.#tools.has(name) && this.#tools.has(`${call.rawName}${name}`);
  }

  #addName(call: OpenCall, name: string): void {
    if (call.rawName === undefined) call.rawName = name;
    else if (this.#isSecondHalf(call, name)) call.rawName += name;
    else return;
    call.name = engineName(call.rawName, this.#tools);
  }

  /** Text that comes late for a call that was settled is meant for the last one, if that still needs some. */
  #stillOpen(call: OpenCall, text: string): OpenCall | undefined {
    if (call.settled === undefined || text.trim() === "") return call;
    const last = this.calls.at(-1)!;
    return isComplete(last) ? undefined : last;
  }

  #begin(): OpenCall {
    const last = this.calls.at(-1);
    if (last !== undefined && last.name !== "") last.settled ??= readArguments(last.text);
    const call: OpenCall = {
      id: undefined,
      index: undefined,
      rawName: undefined,
      name: "",
      text: "",
      unseen: "",
      json: new OpenJson(),
      settled: undefined,
    };
    this.calls.push(call);
    return call;
  }
}
