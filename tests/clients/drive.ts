// The main job by the client that @hey-api/openapi-ts made, compiled by tsc --strict and run by Node.
// Usage: node drive.js ADDRESS, with {name: token} and the artifact's digest as JSON on standard input.
import { readFileSync } from "node:fs";

import * as api from "./client";
import { createClient } from "./client/client";

const given = JSON.parse(readFileSync(0, "utf8"));
const as = (name: string) => ({
  client: createClient({ baseUrl: process.argv[2], auth: () => given.tokens[name] as string }),
});
const artifact: string = given.artifact;

async function deploy(releaseId: string, target: string, voters: string[]): Promise<string> {
  const { data: asked } = await api.promotionsCreate({
    ...as("tomas"),
    body: { releaseId, targetEnvironment: target, reason: "The next version" },
    throwOnError: true,
  });
  if (!("id" in asked)) throw new Error("a preview");
  const path = { id: asked.id };
  for (const voter of voters) {
    const body = { subjectDigest: asked.subjectDigest, comment: "Looked at it" };
    await api.promotionsApprovePost({ ...as(voter), path, body, throwOnError: true });
  }
  const started = { status: "started", url: "https://ci.example/1" } as const;
  await api.promotionsDeploymentPost({ ...as("ci"), path, body: started, throwOnError: true });
  const { data: done } = await api.promotionsDeploymentPost({
    ...as("ci"),
    path,
    body: { status: "succeeded" },
    throwOnError: true,
  });
  if (done.attempt !== 1) throw new Error("not the first attempt");
  return done.status;
}

async function main(): Promise<void> {
  const { data: release } = await api.releasesCreate({
    ...as("ravi"),
    body: {
      name: "2026.48.1",
      finalize: true,
      components: [{ name: "app", imageRepository: "registry.example/app", digest: artifact }],
    },
    throwOnError: true,
  });
  const about = { artifactDigest: artifact, kind: "vulnerabilities" } as const;
  const { data: uploaded } = await api.evidenceCreate({
    ...as("tomas"),
    body: { ...about, document: given.trivy },
    throwOnError: true,
  });
  const { data: again } = await api.evidenceCreate({
    ...as("tomas"),
    body: { ...about, document: JSON.stringify(given.trivy, null, 1) },
    throwOnError: true,
  });
  const { data: environments } = await api.environmentsList({ ...as("tomas"), throwOnError: true });
  const production = environments.find((each) => each.name === "production")!.id;
  const statuses = {
    dev: await deploy(release.id, "dev", []),
    staging: await deploy(release.id, "staging", ["nia"]),
    production: await deploy(release.id, "production", ["nia", "mei"]),
  };

  const { data: window } = await api.environmentsFreezeWindowsCreate({
    ...as("greta"),
    path: { environment_id: production },
    body: { start: "2090-12-24T00:00:00Z", end: "2090-12-27T00:00:00Z", reason: "Nobody is here" },
    throwOnError: true,
  });
  const path = { environment_id: production, id: window.id };
  const { data: changed } = await api.environmentsFreezeWindowsPatch({
    ...as("greta"),
    path,
    body: { reason: "Nobody is there" },
    throwOnError: true,
  });
  const { data: cleared } = await api.environmentsFreezeWindowsDestroy({
    ...as("greta"),
    path,
    query: { reason: "It was called off" },
    throwOnError: true,
  });
  if (!("reason" in changed) || !("clearReason" in cleared)) throw new Error("a proposal");

  const page = await api.promotionsList({ ...as("tomas"), query: { pageSize: 2 }, throwOnError: true });
  const following = await api.promotionsList({
    ...as("tomas"),
    query: { pageSize: 2, cursor: "" },
    throwOnError: true,
  });
  const newest = { id: page.data.data[0].id };
  const { data: whole } = await api.promotionsRetrieve({ ...as("tomas"), path: newest, throwOnError: true });
  const { data: gates } = await api.promotionsGatesGet({ ...as("tomas"), path: newest, throwOnError: true });
  const { data: releases } = await api.releasesList({ ...as("tomas"), throwOnError: true });
  const { data: score } = await api.evidenceScoreGet({
    ...as("tomas"),
    query: { artifactId: artifact },
    throwOnError: true,
  });
  const { error: refused } = await api.releasesCreate({ ...as("nia"), body: { name: "2026.48.2" } });

  const { meta } = page.data;
  console.log(
    JSON.stringify({
      statuses,
      uploaded: [uploaded.kind, uploaded.summary.findings, again.format],
      score: score.evidenceScore,
      freeze: [changed.reason, cleared.clearReason],
      page: [
        page.data.data.length,
        "totalCount" in meta ? meta.totalCount : null,
        "nextCursor" in following.data.meta && following.data.meta.nextCursor !== null,
      ],
      verdict: whole.decisionRecord!.decision,
      gates: gates.data.map((each) => each.type),
      releases: releases.data.map((each) => each.name),
      refused: refused!.error.code,
    }),
  );
}

void main();
