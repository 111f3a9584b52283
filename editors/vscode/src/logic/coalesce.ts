/** An action that never runs twice at once: calls that arrive while it runs share one further run. */
export function coalesced(action: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const start = (): Promise<void> => {
    running = action().finally(() => (running = undefined));
    return running;
  };
  return () => {
    if (running === undefined) {
      return start();
    }
    next ??= running
      .catch(() => undefined) // its own callers hear of it
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  };
}
