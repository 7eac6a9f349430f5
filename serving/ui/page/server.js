// Asks the page's server.

/** What is served. */
export async function fetchModels() {
  return (await answer("api/models")).models;
}

/** One logged request ranked by one or two versions. */
export function fetchRanking(call, signal) {
  return answer("api/rank", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(call),
    signal,
  });
}

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is `fulcrum serve --ui` still running?");
  }
  const content = await response.json().catch(() => ({ error: `The server answered ${response.status} without JSON.` }));
  if (!response.ok) throw new Error(content.error ?? `The server answered ${response.status}.`);
  return content;
}
