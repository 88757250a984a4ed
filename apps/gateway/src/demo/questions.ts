/** What to ask for a look at routing: no quotes in them, so that they can stand in a shell's. */
export const easyQuestion = "What is the capital of France?";
export const hardQuestion = "Prove step by step that the square root of 2 is irrational.";

const toolQuestion = "What is the weather in Lyon?";

const weatherTool = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

/** The body of a chat request to `auto`, with a tool that fits it. */
export function toolBody(): object {
  return { model: "auto", messages: [{ role: "user", content: toolQuestion }], tools: [weatherTool] };
}

/** The body of a chat request to `auto`. */
export function questionBody(
  question: string,
  stream: boolean,
): { model: string; messages: { role: string; content: string }[] } {
  return { model: "auto", messages: [{ role: "user", content: question }], ...(stream && { stream }) };
}

/** A curl command that asks and shows the answer with its headers. */
export function curlLine(url: string, question: string, stream = false): string {
  return curlBody(url, questionBody(question, stream), stream ? "-siN" : "-si");
}

/** A curl command that sends a body and shows the answer with its headers. */
export function curlBody(url: string, body: object, flags = "-si"): string {
  const where = `${url.replace(/^http:\/\//, "")}/v1/chat/completions`;
  return `curl ${flags} ${where} -H content-type:application/json -d '${JSON.stringify(body)}'`;
}
