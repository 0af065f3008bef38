// Starts every module on the page and on each fragment that htmx swaps in.
// Knows which modules there are. Knows nothing of what they do.
import htmx from "htmx.org";
import * as copy from "./copy";
import * as drafting from "./drafting";
import * as figures from "./figures";
import * as theme from "./theme";
import * as tick from "./tick";
import * as training from "./training";
import * as upload from "./upload";

const modules = [theme, copy, upload, tick, training, drafting, figures];

// htmx calls this for <body> once the page is there, and for each fragment that it swaps in.
htmx.onLoad((fragment) => {
  if (!(fragment instanceof HTMLElement)) return;
  for (const { connect } of modules) connect(fragment);
});
