const STEP = 4096;

/**
 * How many code units at the front of held whitespace may leave, so that a model which writes nothing else is seen to do
 * so: whole steps of 4,096, the last one apart. What has left in the end is the same, in whatever pieces it came.
 */
export function surplusOf(space: string): number {
  return space.length < 2 * STEP ? 0 : space.length - STEP - (space.length % STEP);
}
