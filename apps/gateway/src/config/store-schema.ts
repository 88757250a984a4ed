import { z } from "zod";
import { address, count, section, show, text } from "./fields.ts";

const StoreTls = section({
  ca_file: text()
    .optional()
    .describe(
      "PEM file of the authority that signed the server's certificate; those that the system knows unless given. With Sentinels and Clusters, `tls: {}` alone turns TLS on.",
    ),
  cert_file: text().optional().describe("PEM file of our client certificate."),
  key_file: text().optional().describe("PEM file of its key."),
});

const RedisSection = section({
  url: text()
    .optional()
    .describe(
      "The same address in the mapping. A password stands there only as a variable: `redis://:${REDIS_PASSWORD}@cache:6379`.",
    ),
  sentinels: z
    .array(address())
    .min(1, "expected at least one host:port")
    .meta({ value: "list of addresses" })
    .optional()
    .describe(
      "Instead of `url`: Sentinels, of which one is asked where the master is, anew after every loss of the connection.",
    ),
  name: text().optional().describe("What the Sentinels call the master, such as `mymaster`."),
  cluster: z
    .array(address())
    .min(1, "expected at least one host:port")
    .meta({ value: "list of addresses" })
    .optional()
    .describe(
      "Instead of `url`: some nodes of a Redis Cluster. All keys lie in one hash slot, so that one script can take what key, team and model have together; Signalbox talks to the node that has it, wherever it moves.",
    ),
  username: text().optional().describe("User of the servers."),
  password_file: text().optional().describe("File with the password of the servers."),
  sentinel_password_file: text().optional().describe("File with the password of the Sentinels, where they want one."),
  tls: StoreTls.optional().describe("Encrypts the connections; `{}` is enough where a known authority signed."),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_.:-]{1,64}$/, "a prefix has 1 to 64 letters, digits, «_», «.», «:» or «-»")
    .default("signalbox")
    .describe("All keys begin with it, in braces: `{signalbox}:`. Gateways with the same prefix share limits."),
  instances: count()
    .prefault(1)
    .describe(
      "How many replicas limits are shared out to, at least, while Redis cannot be reached. The replicas find each other through Redis; this is for one that starts when there is none to ask.",
    ),
});

/** Where limits are counted: `memory`, an address, or a mapping. */
export const StoreField = z
  .union([z.string().meta({ pattern: String.raw`^(memory|rediss?://.+|.*\$\{.*\}.*)$` }), RedisSection], {
    error: ({ input }) => `expected memory, a redis:// address or a mapping, not ${show(input)}`,
  })
  .meta({ value: "`memory`, an address or a mapping" });
