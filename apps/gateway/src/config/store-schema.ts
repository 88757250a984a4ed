import { z } from "zod";
import { address, count, section, show } from "./fields.ts";

const text = () => z.string().min(1, "expected some text, not an empty string");

const StoreTls = section({
  ca_file: text().optional().describe("PEM file of the authority that signed the server's certificate."),
  cert_file: text().optional().describe("PEM file of our client certificate; goes with key_file."),
  key_file: text().optional().describe("PEM file of our client certificate's key; goes with cert_file."),
});

const RedisSection = section({
  url: text().optional().describe("`redis://` or `rediss://` address of one server; or `sentinels`, or `cluster`."),
  sentinels: z
    .array(address())
    .min(1, "expected at least one host:port")
    .optional()
    .describe("Sentinels that know where the master is."),
  name: text().optional().describe("What the Sentinels call the master."),
  cluster: z
    .array(address())
    .min(1, "expected at least one host:port")
    .optional()
    .describe("Some nodes of a Redis Cluster; the others are found."),
  username: text().optional().describe("User of the servers; `default` unless given."),
  password_file: text().optional().describe("File with the password of the servers."),
  sentinel_password_file: text().optional().describe("File with the password of the Sentinels."),
  tls: StoreTls.optional().describe("Encrypts the connections; `{}` is enough where a known authority signed."),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_.:-]{1,64}$/, "a prefix has 1 to 64 letters, digits, «_», «.», «:» or «-»")
    .default("signalbox")
    .describe("What all keys in Redis begin with, in braces."),
  instances: count()
    .prefault(1)
    .describe("Replicas that limits are shared out to, at least, while Redis cannot be reached."),
});

/** Where limits are counted: `memory`, an address, or a mapping. */
export const StoreField = z.union(
  [z.string().meta({ pattern: String.raw`^(memory|rediss?://.+|.*\$\{.*\}.*)$` }), RedisSection],
  {
    error: ({ input }) => `expected memory, a redis:// address or a mapping, not ${show(input)}`,
  },
);
