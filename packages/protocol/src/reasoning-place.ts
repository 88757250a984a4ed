/** The fields of an assistant message in which clients send the reasoning of earlier turns back. */
export const reasoningFields = ["reasoning_content", "reasoning", "reasoning_details"] as const;

/**
 * Where an engine reads the reasoning of earlier turns: in one of these fields, `inline` at the beginning of `content`
 * between think tags, or nowhere (`drop`).
 */
export const reasoningPlaces = [...reasoningFields, "inline", "drop"] as const;
export type ReasoningPlace = (typeof reasoningPlaces)[number];
