const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Why a URL cannot be a remote signer's; null when it can. No part of the URL is in the answer. */
export function faultOfSignerUrl(text: string): string | null {
  if (text.startsWith("unix:")) return text.startsWith("unix:/") ? null : "names no socket: write unix:/path";
  if (!URL.canParse(text)) return 'is no URL: write "https://..." or "unix:/path"';
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") return "holds a password; give the token by reference";
  if (url.protocol === "https:") return null;
  if (url.protocol !== "http:") return 'must begin with "https://" or "unix:/"';
  return LOOPBACK.has(url.hostname) ? null : "would send transactions over the network unencrypted; use https";
}
