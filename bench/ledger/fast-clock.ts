// Loaded into a gateway before all else, as `fast-clock.ts?began=…&from=…&factor=…`: its wall clock stands at `from` until
// the real one comes to `began`, and goes `factor` times as fast from then on. Timers go as ever.
const asked = new URL(import.meta.url).searchParams;
const [began, from, factor] = ["began", "from", "factor"].map((name) => Number(asked.get(name)));
const realNow = Date.now;
Date.now = () => Math.floor(from! + Math.max(0, realNow() - began!) * factor!);

export {};
