import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { connect, fault, listen, OK, post, text } from "./socket-transport-test-backend.ts";
import {
  authority,
  createTestCertificates,
  hasOpenssl,
  leaf,
  type Pair,
  skippedForOpenssl,
} from "./test-certificates.ts";

describe.skipIf(!hasOpenssl)(`over TLS${skippedForOpenssl}`, () => {
  const certificates = createTestCertificates();
  let ca: Pair;
  let otherCa: Pair;
  let server: Pair;
  let client: Pair;
  let stranger: Pair;

  beforeAll(() => {
    const { make } = certificates;
    ca = make("ca", authority);
    otherCa = make("other-ca", authority);
    server = make("server", [...leaf, "subjectAltName=DNS:localhost"], "ca");
    client = make("client", leaf, "ca");
    stranger = make("stranger", leaf, "other-ca");
  });

  afterAll(() => certificates.close());

  async function listenTls(options: TlsOptions = {}) {
    const sockets: TLSSocket[] = [];
    const listener = createServer({ ...server, ALPNProtocols: ["h2", "http/1.1"], ...options }, (socket) => {
      sockets.push(socket);
      socket.on("error", () => {});
      socket.on("data", () => socket.write(OK));
    });
    listener.on("tlsClientError", () => {});
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      listener.close();
    });
    return { url: new URL(`https://localhost:${(listener.address() as AddressInfo).port}`), sockets };
  }

  test("a backend is asked in HTTP/1.1, by its name, on one connection again and again", async () => {
    const { url, sockets } = await listenTls();
    const transport = connect(url, { tls: { ca: ca.cert } });
    for (let count = 0; count < 3; count++) expect(await text(transport.open(post))).toBe("ok");
    expect(sockets).toHaveLength(1);
    expect(sockets[0]!.alpnProtocol).toBe("http/1.1");
    expect(sockets[0]!.servername).toBe("localhost");
  });

  test("a body of many megabytes arrives whole, however slowly it is read", async () => {
    const body = Buffer.alloc(8 * 1024 * 1024, "x");
    const { url, sockets } = await listenTls();
    const transport = connect(url, { tls: { ca: ca.cert } });
    await text(transport.open(post));
    sockets[0]!.removeAllListeners("data");
    sockets[0]!.on("data", () => {
      sockets[0]!.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n`);
      sockets[0]!.write(body);
    });
    const response = await transport.open(post).response;
    let length = 0;
    for (let piece = await response.read(); piece !== undefined; piece = await response.read()) {
      length += piece.length;
      await new Promise(setImmediate);
      expect((response as unknown as { queued: number }).queued).toBeLessThan(130 * 1024);
    }
    expect(length).toBe(body.length);
  });

  const refused: readonly [what: string, tls: () => { ca?: string; cert?: string; key?: string }, says: RegExp][] = [
    [
      "from an authority that nobody named",
      () => ({}),
      /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY/,
    ],
    [
      "from another authority",
      () => ({ ca: otherCa.cert }),
      /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY/,
    ],
  ];
  for (const [what, tls, says] of refused) {
    test(`a certificate ${what} is a connect fault that says so`, async () => {
      const { url } = await listenTls();
      const error = await fault(connect(url, { tls: tls() }).open(post).response);
      expect(error).toMatchObject({ fault: "connect", message: expect.stringMatching(says) });
    });
  }

  test("a certificate for another name is a connect fault that says so", async () => {
    const { url } = await listenTls();
    const byAddress = new URL(`https://127.0.0.1:${url.port}`);
    const error = await fault(connect(byAddress, { tls: { ca: ca.cert } }).open(post).response);
    expect(error).toMatchObject({
      fault: "connect",
      message: expect.stringMatching(/ERR_TLS_CERT_ALTNAME_INVALID.*127\.0\.0\.1/),
    });
  });

  test("a backend that speaks plain HTTP is a connect fault that says so", async () => {
    const backend = await listen(() => {});
    backend.server.on("connection", (socket) =>
      socket.once("data", () => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")),
    );
    const error = await fault(connect(new URL(`https://localhost:${backend.url.port}`)).open(post).response);
    expect(error).toMatchObject({
      fault: "connect",
      message: expect.stringMatching(/^b: connect failed \(\w+: (wrong version number|packet length too long)\)$/),
    });
  });

  test("a backend that hangs up inside the handshake is a connect fault", async () => {
    const backend = await listen(() => {});
    backend.server.on("connection", (socket) => socket.once("data", () => socket.destroy()));
    const error = await fault(connect(new URL(`https://localhost:${backend.url.port}`)).open(post).response);
    expect(error).toMatchObject({ fault: "connect" });
  });

  test("an https backend that is asked in plain HTTP does not answer in HTTP", async () => {
    const { url } = await listenTls();
    const error = await fault(connect(new URL(`http://localhost:${url.port}`)).open(post).response);
    expect(["malformed", "reset"]).toContain(error.fault);
  });

  test("a PEM text that is none is a connect fault for each request, and throws nothing", async () => {
    const { url } = await listenTls();
    const transport = connect(url, { tls: { cert: "nothing", key: "nothing" } });
    for (let count = 0; count < 2; count++) {
      const error = await fault(transport.open(post).response);
      expect(error).toMatchObject({
        fault: "connect",
        message: expect.stringMatching(/^b: connect failed \(ERR_OSSL_.*\)$/),
      });
    }
    await transport.close();
  });

  describe("with certificates on both sides", () => {
    const mutual = () => ({ requestCert: true, rejectUnauthorized: true, ca: ca.cert });

    test("our own is shown", async () => {
      const { url, sockets } = await listenTls(mutual());
      expect(await text(connect(url, { tls: { ca: ca.cert, ...client } }).open(post))).toBe("ok");
      expect(sockets[0]!.getPeerCertificate().subject.CN).toBe("client");
    });

    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      test(`none is a connect fault that says so (${version})`, async () => {
        const { url } = await listenTls({ ...mutual(), maxVersion: version, minVersion: version });
        const error = await fault(connect(url, { tls: { ca: ca.cert } }).open(post).response);
        expect(error).toMatchObject({
          fault: "connect",
          message: expect.stringMatching(/alert (handshake failure|certificate required)\)$/),
        });
      });
    }

    test("one from another authority is never answered", async () => {
      const { url } = await listenTls(mutual());
      const error = await fault(connect(url, { tls: { ca: ca.cert, ...stranger } }).open(post).response);
      // A backend that hangs up without an alert does not say why.
      expect(["connect", "reset"]).toContain(error.fault);
    });
  });
});
