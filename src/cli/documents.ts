/** All that the command line asks of a server, which it knows by its public schema alone. How answers are read: wire.ts. */

const JOB_FIELDS = /* GraphQL */ `
  fragment JobFields on Job {
    id name status stage progress etaSeconds targetColumn task metric timeBudgetSeconds mind sandbox
    createdAt startedAt finishedAt lastSequence dataset { name }
  }
`;

// Aliases, because GraphQL refuses one response name with two types: a step may be absent in ProgressMade but not in
// StepStarted, and StatusChanged's `from` is a status where FallbackUsed's is a text.
const EVENT_FIELDS = /* GraphQL */ `
  fragment EventFields on JobEvent {
    type: __typename sequence at stage agent message
    ... on StatusChanged { fromStatus: from toStatus: to }
    ... on StageFinished { seconds }
    ... on AgentStarted { agentRun parentRun }
    ... on AgentFinished { agentRun seconds }
    ... on AgentSpoke { agentRun }
    ... on StepStarted { agentRun step tool }
    ... on StepFinished { agentRun step tool ok seconds errorCode }
    ... on TrialFinished { trialId name family score fitSeconds }
    ... on BestImproved { trialId name score previousScore }
    ... on ProgressMade { progress atStep: step }
    ... on LogWritten { level atStep: step }
    ... on ArtifactSaved { artifactId name artifactKind: kind size }
    ... on FallbackUsed { fallbackRun: agentRun from to reason }
  }
`;

const ERROR_FIELDS = /* GraphQL */ `... on Error { code message hint }`;

export const DOCUMENTS = {
  health: /* GraphQL */ `
    query Health { health { version mind sandbox { kind containment description } } }
  `,
  startTraining: /* GraphQL */ `
    mutation StartTraining($input: StartTrainingInput!) {
      startTraining(input: $input) {
        __typename
        ... on StartTrainingSuccess { job { ...JobFields } }
        ${ERROR_FIELDS}
      }
    }
    ${JOB_FIELDS}
  `,
  cancelJob: /* GraphQL */ `
    mutation CancelJob($id: ID!) {
      cancelJob(input: { jobId: $id }) { __typename ${ERROR_FIELDS} }
    }
  `,
  job: /* GraphQL */ `
    query JobOutcome($id: ID!) {
      job(id: $id) {
        ...JobFields
        result {
          metric validationScore holdoutScore holdoutInterval { low high } baselineScore playbookScore lift summary
          bestTrial { id name family score fitSeconds }
        }
        failure { code message hint stage }
        leaderboard(first: 20) { id name family score fitSeconds isBaseline isBest }
        usage { modelCalls inputTokens outputTokens estimatedCostUsd }
      }
    }
    ${JOB_FIELDS}
  `,
  artifacts: /* GraphQL */ `
    query Artifacts($jobId: ID!, $after: String) {
      artifacts(jobId: $jobId, first: 50, after: $after) {
        edges { node { id name kind contentType size sha256 signedUrl { url } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  `,
  jobUpdated: /* GraphQL */ `
    subscription JobUpdated($id: ID!, $after: Int) {
      jobUpdated(id: $id, after: $after) {
        sequence
        job { ...JobFields }
        event { ...EventFields }
      }
    }
    ${JOB_FIELDS}
    ${EVENT_FIELDS}
  `,
} as const;
