/** Sends generated requests one after the other, judges every answer, and counts what came. */
import type { Conformance, SeenAnswer } from './conformance.ts';
import { type GeneratedRequest, requestsFrom } from './generated-requests.ts';

/** The answer to a request; rejects where there is none. */
export type Send = (request: GeneratedRequest) => Promise<SeenAnswer>;

/** What answers give that requests can bring again. */
const REMEMBERED = ['etag', 'cache-lease-token', 'id', 'cursor'] as const;

/** A store that was closed is opened again after so many requests. */
const CLOSED_FOR = 10;
const OPEN: GeneratedRequest = { method: 'POST', target: '/open', headers: [], body: undefined };

/** Answers of 5xx that the document has for a route and that generated requests lead to. */
const ALLOWED_FAILURES: ReadonlyMap<number, string> = new Map([
  [501, 'NOT_IMPLEMENTED'],
  [503, 'STORE_CLOSED'],
]);

function membersOf({ body, headers }: SeenAnswer): Readonly<Record<string, unknown>> {
  if (!String(headers['content-type']).startsWith('application/json')) return {};
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

export class GeneratedRun {
  readonly faults: string[] = [];
  /** Answers by status. */
  readonly statuses = new Map<number, number>();
  /** Answers of each operation, by status. */
  readonly byOperation = new Map<string, Map<number, number>>();
  readonly #conformance: Conformance;
  readonly #send: Send;
  readonly #remembered = new Map<string, string>();
  #closedFor = 0;

  constructor(conformance: Conformance, send: Send) {
    this.#conformance = conformance;
    this.#send = send;
  }

  get count(): number {
    return [...this.statuses.values()].reduce((sum, one) => sum + one, 0);
  }

  async run(requests: Iterable<GeneratedRequest>): Promise<void> {
    for (const request of requests) {
      await this.ask(request);
      if (this.#closedFor > 0 && --this.#closedFor === 0) await this.ask(OPEN);
    }
    await this.ask(OPEN);
  }

  /**
   * Goes on with the operations that miss a success or a refusal, among others since some need what
   * others have done; gives up after `rounds` of 100.
   */
  async complete(seed: number, rounds: number): Promise<void> {
    const { document } = this.#conformance;
    for (let round = 1; round <= rounds && this.uncovered().size > 0; round++) {
      const missing = requestsFrom(document, seed + round, 50, this.uncovered());
      const others = requestsFrom(document, seed + round, 50);
      await this.run(missing.flatMap((one, nth) => [others[nth] ?? one, one]));
    }
  }

  async ask(generated: GeneratedRequest): Promise<void> {
    const request = this.#filled(generated);
    try {
      const answer = await this.#send(request);
      this.#judge(request, answer);
      this.#remember(request, answer);
    } catch (error) {
      this.faults.push(`${shown(request)}: no answer: ${String(error)}`);
    }
  }

  /** The operations that were not yet answered with both a success and a refusal. */
  uncovered(): Set<string> {
    const missing = new Set<string>();
    for (const [path, methods] of Object.entries(this.#conformance.document.paths)) {
      for (const method of Object.keys(methods)) {
        const name = `${method.toUpperCase()} ${path}`;
        const statuses = [...(this.byOperation.get(name)?.keys() ?? [])];
        const isServed = statuses.some((status) => status >= 200 && status < 300);
        const isRefused = statuses.some((status) => status >= 400 && status < 500);
        if (!isServed || !isRefused) missing.add(name);
      }
    }
    return missing;
  }

  /** In a line: how many of which status, and how many operations were reached. */
  summary(): string {
    const statuses = [...this.statuses].sort(([one], [other]) => one - other);
    const counts = statuses.map(([status, count]) => `${status}: ${count}`).join(', ');
    const operations = this.byOperation.size - Number(this.byOperation.has('no route'));
    return `${this.count} requests to ${operations} operations; ${counts}`;
  }

  #filled({ target, headers, ...rest }: GeneratedRequest): GeneratedRequest {
    const fill = (text: string, own?: string): string =>
      text.replaceAll(/\{([a-z-]+)\}/g, (_marker, name: string) => {
        const known = this.#remembered.get(name) ?? 'none';
        return name === 'cache-lease-token' ? (own ?? known) : known;
      });
    const filled = fill(target);
    const own = this.#remembered.get(tokenOf(filled));
    return {
      ...rest,
      target: filled,
      headers: headers.map(([name, value]) => [name, fill(value, own)]),
    };
  }

  #judge(request: GeneratedRequest, answer: SeenAnswer): void {
    const { status } = answer;
    const name = this.#conformance.nameOf(answer);
    const statuses = this.byOperation.get(name) ?? new Map<number, number>();
    this.byOperation.set(name, statuses);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    for (const fault of this.#conformance.faultsOf(answer)) {
      this.faults.push(`${shown(request)}: ${fault}`);
    }
    const { code } = membersOf(answer);
    const failure = ALLOWED_FAILURES.get(status);
    const isNamed = failure !== undefined && (failure === code || request.method === 'HEAD');
    const isAllowed = status < 500 || isNamed;
    if (!isAllowed) this.faults.push(`${shown(request)}: ${status} ${String(code)}`);
    if (status === 200 && name.endsWith(' /close')) this.#closedFor = CLOSED_FOR;
  }

  #remember({ target }: GeneratedRequest, answer: SeenAnswer): void {
    const given = { ...membersOf(answer), ...answer.headers };
    for (const name of REMEMBERED) {
      const value = given[name];
      if (typeof value !== 'string') continue;
      this.#remembered.set(name, value);
      if (name === 'cache-lease-token') this.#rememberLease(target, value);
    }
  }

  #rememberLease(target: string, token: string): void {
    this.#remembered.set('leased', keyOf(target));
    this.#remembered.set(tokenOf(target), token);
  }
}

/** What stands behind the mount. */
const keyOf = (target: string): string => target.replace(/^\/(?:v1\/\w+|cache|pickle)\//, '');

/** The name under which the token of a key is remembered. */
const tokenOf = (target: string): string => `token of ${keyOf(target)}`;

function shown({ method, target, headers, body }: GeneratedRequest): string {
  const fields = JSON.stringify(headers).slice(0, 400);
  const bytes =
    body === undefined ? 'no body' : JSON.stringify(body.toString('latin1').slice(0, 300));
  return `${method} ${target.slice(0, 200)} ${fields} ${bytes}`;
}
