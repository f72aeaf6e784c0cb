/** Values that were asked for last, made once each; one that could not be made is forgotten. */
export class RecentPromises<Value> {
  private readonly kept = new Map<string, Promise<Value>>();

  constructor(
    private readonly limit: number,
    private readonly letGo: (value: Value) => void,
  ) {}

  get(key: string, make: () => Promise<Value>): Promise<Value> {
    const value = this.kept.get(key) ?? make();
    this.kept.delete(key);
    this.kept.set(key, value);
    value.catch(() => this.kept.get(key) === value && this.kept.delete(key));
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= this.limit) break;
      this.forget(oldest);
    }
    return value;
  }

  clear(): void {
    for (const key of this.kept.keys()) this.forget(key);
  }

  private forget(key: string): void {
    this.kept.get(key)?.then(this.letGo, () => undefined);
    this.kept.delete(key);
  }
}
