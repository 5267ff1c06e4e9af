// The page has the title of the service, by which people find it among their tabs, and its version.
"use strict";

fetch("/openapi.json")
  .then((response) => response.json())
  .then(({ info }) => {
    document.title = `${info.title} ${info.version}`;
  })
  .catch(() => {}); // the page itself shows why there is no document
