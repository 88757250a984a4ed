/** What to ask for a look at routing: no quotes in them, so that they can stand in a shell's. */
export const easyQuestion = "What is the capital of France?";
export const hardQuestion = "Prove step by step that the square root of 2 is irrational.";

/** The body of a chat request to `auto`. */
export function questionBody(
  question: string,
  stream: boolean,
): { model: string; messages: { role: string; content: string }[] } {
  return { model: "auto", messages: [{ role: "user", content: question }], ...(stream && { stream }) };
}

/** A curl command that asks and shows the answer with its headers. */
export function curlLine(url: string, question: string, stream = false): string {
  const where = `${url.replace(/^http:\/\//, "")}/v1/chat/completions`;
  return `curl -si${stream ? "N" : ""} ${where} -H content-type:application/json -d '${JSON.stringify(questionBody(question, stream))}'`;
}
