/** A cursor between the texts of its line, in a document. */
export interface Place {
  readonly document: string;
  readonly line: number;
  readonly before: string;
  readonly after: string;
}

/**
 * What was suggested last. While it is typed its rest stays, and the server is not asked: its answers come and go with
 * every character, as their confidence does, and whoever has begun to type a suggestion has read it.
 */
export class Typing<Item> {
  private shown: { readonly place: Place; readonly items: readonly Item[] } | undefined;

  constructor(private readonly textOf: (item: Item) => string) {}

  /** These were suggested at a place, or none. */
  show(place: Place, items: readonly Item[]): void {
    this.shown = { place, items };
  }

  forget(): void {
    this.shown = undefined;
  }

  /** What of them goes on at a place, and the characters of each that have been typed. Where nothing does they are
   * forgotten. */
  rest(place: Place): { readonly items: readonly Item[]; readonly typed: number } {
    const typed = this.typedAt(place);
    const items = this.shown?.items.filter((item) => this.textOf(item).startsWith(typed) && this.textOf(item) !== typed);
    if (typed === "" || items === undefined || items.length === 0) {
      this.forget();
      return { items: [], typed: 0 };
    }
    return { items, typed: typed.length };
  }

  private typedAt(place: Place): string {
    const at = this.shown?.place;
    const sameLine = at?.document === place.document && at.line === place.line && at.after === place.after;
    return sameLine && place.before.startsWith(at.before) ? place.before.slice(at.before.length) : "";
  }
}
