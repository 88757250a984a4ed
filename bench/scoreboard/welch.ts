/** Welch's t of two samples: how many standard errors their means are apart. 0 where both are constant and equal. */
export function welch(a: readonly number[], b: readonly number[]): number {
  const [one, other] = [momentsOf(a), momentsOf(b)];
  const error = Math.sqrt(one.variance / a.length + other.variance / b.length);
  const apart = one.mean - other.mean;
  return apart === 0 ? 0 : apart / error;
}

function momentsOf(sample: readonly number[]): { readonly mean: number; readonly variance: number } {
  const mean = sample.reduce((sum, value) => sum + value, 0) / sample.length;
  const variance = sample.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (sample.length - 1);
  return { mean, variance };
}
