// Finds what a module works on. Knows that each element must be set up once, however often its surroundings are swapped.
// Knows nothing of what is set up.

/** A function that runs `setUp` once for every element under `root`, `root` included, that matches `selector`. */
export function each<T extends HTMLElement>(selector: string, setUp: (element: T) => void): (root: HTMLElement) => void {
  const done = new WeakSet<T>();
  return (root) => {
    const found = [...root.querySelectorAll<T>(selector)];
    if (root.matches(selector)) found.unshift(root as T);
    for (const element of found) {
      if (done.has(element)) continue;
      done.add(element);
      setUp(element);
    }
  };
}
