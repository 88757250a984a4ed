import { isObject } from "./read-messages.ts";

/** Agents introduce themselves at the beginning of their system prompt. */
const EXAMINED = 4000;

/** Names of coding agents, and what the generic ones call themselves. */
const introductions = [
  /\b(claude code|codex cli|gemini cli|qwen code|kilo ?code|roo ?code|open ?hands|open ?code|swe-agent|openclaw|aider|cline|windsurf|devin|cursor'?s? (agent|composer|ide)|github copilot)\b/,
  /\b(coding|programming|software(?: engineering| development)?|developer|engineering|code|swe|cli|terminal) (?:\w+ )?agent\b/,
  /\bagentic (coding|software|code|programming)/,
  /(编程|编码|代码|软件工程|开发)(智能体|代理|agent)/,
] as const;

const persona = /\b(cod(?:ing|er)|programm(?:ing|er)|software|developer|engineer)|编程|代码|工程师|开发者/;
/** What someone does who works in a repository rather than talks about code. */
const work = [
  /\b(repositor(?:y|ies)|codebase|code base|workspace|working directory)\b|代码库|仓库|工作目录/,
  /\b(edit|write|modify|create|read|patch)(?:ing|s)? (?:\w+ )?files?\b|编辑文件|修改文件|读写文件/,
  /\b(run|execute|running|executing)(?:s)? (?:\w+ )?(commands?|tests?|scripts?)\b|执行命令|运行命令|运行测试/,
  /\b(terminal|shell|bash|apply_patch|str_replace|search\/replace|git (?:diff|commit|status)|unified diff|pull request)\b/,
] as const;

/** Tool names that only coding agents offer together. */
const codingTools =
  /^(bash|shell|terminal|exec(ute)?(_?(command|bash|shell|code))?|run_?(in_)?(terminal|command|shell|tests?)\w*|read_?files?|view_?file|write_?(to_?)?file|create_?file|edit(_?file)?|multi_?edit|apply_?(patch|diff)|str_?replace\w*|replace_in_file|search_?files?|list_?(files|dir|directory)|grep(_?search)?|glob|read|write|codebase_search)$/;

/** Every introduction and every persona has one of these; most system prompts have none. */
const hint =
  /agent|cod(?:e|ing|ex)|program|software|develop|engineer|cline|aider|windsurf|devin|cursor|hands|claw|copilot|gemini|[编代工开]/;

/** Is this the system prompt of an agent that works on code? A helper that merely talks about code is none. */
export function isCodingAgentPrompt(systemPrompt: string): boolean {
  if (systemPrompt === "") return false;
  const text = systemPrompt.slice(0, EXAMINED).toLowerCase();
  if (!hint.test(text)) return false;
  if (introductions.some((introduction) => introduction.test(text))) return true;
  return persona.test(text) && work.filter((sign) => sign.test(text)).length >= 2;
}

/** Do the tools make an agent that works on code, whatever its system prompt says? Two of its usual ones do. */
export function hasCodingTools(tools: readonly unknown[] | undefined): boolean {
  if (tools === undefined) return false;
  let found = 0;
  for (const tool of tools) {
    const named = isObject(tool) && isObject(tool.function) ? tool.function : tool;
    const name = isObject(named) ? named.name : undefined;
    if (typeof name === "string" && name.length <= 64 && codingTools.test(name.toLowerCase())) found++;
  }
  return found >= 2;
}
