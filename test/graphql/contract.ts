/** The names that clients rely on: they may be joined by others, never renamed or taken away. */
export const CONTRACT = /* GraphQL */ `
scalar DateTime
scalar URL
scalar Upload
scalar ByteSize

type Query {
  health: Health!
  node(id: ID!): Node
  job(id: ID!): Job
  jobs(first: Int, after: String, last: Int, before: String, filter: JobFilter): JobConnection!
  dataset(id: ID!): Dataset
  datasets(first: Int, after: String): DatasetConnection!
  artifacts(jobId: ID!, kinds: [ArtifactKind!], first: Int, after: String): ArtifactConnection!
  artifact(jobId: ID!, name: String!): Artifact
}

type Mutation {
  uploadDataset(input: UploadDatasetInput!): UploadDatasetResult!
  startTraining(input: StartTrainingInput!): StartTrainingResult!
  cancelJob(input: CancelJobInput!): CancelJobResult!
  retryJob(input: RetryJobInput!): RetryJobResult!
  deleteJob(input: DeleteJobInput!): DeleteJobResult!
}

type Subscription {
  """
  Emits the job as it is now (event null), then every event after it, in order, none missing and none twice,
  and completes when the job has ended. With \`after\` it first replays every event with a larger sequence.
  """
  jobUpdated(id: ID!, after: Int): JobUpdate!
}

input StartTrainingInput {
  file: Upload
  datasetId: ID
  targetColumn: String!
  name: String
  task: Task
  metric: Metric
  timeBudgetSeconds: Int
  maxTrials: Int
  goalScore: Float
  instructions: String
  ignoreColumns: [String!]
  keepColumns: [String!]
  holdoutFraction: Float
  groupColumn: String
  timeColumn: String
  quantile: Float
  idempotencyKey: String
}

union StartTrainingResult = StartTrainingSuccess | TargetNotFoundError | InvalidDatasetError | InvalidOptionsError | DatasetNotFoundError | QuotaExceededError
type StartTrainingSuccess { job: Job! }
type TargetNotFoundError implements Error { code: String! message: String! hint: String columns: [String!]! suggestion: String }
type InvalidDatasetError implements Error { code: String! message: String! hint: String }
type InvalidOptionsError implements Error { code: String! message: String! hint: String }
type DatasetNotFoundError implements Error { code: String! message: String! hint: String }
type QuotaExceededError implements Error { code: String! message: String! hint: String }
type JobNotFoundError implements Error { code: String! message: String! hint: String }
type JobStateError implements Error { code: String! message: String! hint: String }
interface Error { code: String! message: String! hint: String }

interface Node { id: ID! }

type Job implements Node {
  id: ID!
  name: String!
  status: JobStatus!
  stage: Stage
  progress: Float!
  etaSeconds: Int
  targetColumn: String!
  task: Task
  metric: Metric
  timeBudgetSeconds: Int!
  dataset: Dataset!
  mind: Mind!
  sandbox: SandboxKind!
  createdAt: DateTime!
  startedAt: DateTime
  finishedAt: DateTime
  lastSequence: Int!
  leaderboard(first: Int): [Trial!]!
  result: TrainingResult
  usage: Usage!
  failure: Failure
  events(after: Int, first: Int): [JobEvent!]!
  artifacts(kinds: [ArtifactKind!], first: Int, after: String): ArtifactConnection!
}

type TrainingResult {
  metric: Metric!
  validationScore: Float!
  holdoutScore: Float
  holdoutInterval: Interval
  baselineScore: Float!
  bestTrial: Trial!
  summary: String!
}

type Trial { id: ID! name: String! family: String! agent: Agent! score: Float! foldScores: [Float!]! fitSeconds: Float! predictMicrosPerRow: Float parameters: JSON! isBaseline: Boolean! isBest: Boolean! }
scalar JSON

type Artifact implements Node {
  id: ID!
  name: String!
  kind: ArtifactKind!
  contentType: String!
  size: ByteSize!
  sha256: String!
  createdAt: DateTime!
  job: Job!
  signedUrl(expiresInSeconds: Int): SignedUrl!
}
type SignedUrl { url: URL! expiresAt: DateTime! }

type Dataset implements Node { id: ID! name: String! columns: [Column!]! rowCount: Int size: ByteSize! sha256: String! createdAt: DateTime! }
type Column { name: String! type: ColumnType missing: Int distinct: Int }

type JobUpdate { sequence: Int! job: Job! event: JobEvent }
interface JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }

enum JobStatus { QUEUED RUNNING SUCCEEDED FAILED CANCELLED }
enum Stage { SETUP PREPROCESSING TRAINING EVALUATION TUNING REPORTING }
enum Agent { ORCHESTRATOR PREPROCESSING MASTER_TRAINER SUB_TRAINER EVALUATOR TUNER }
enum Task { BINARY MULTICLASS REGRESSION }
enum Mind { PLAYBOOK LANGUAGE_MODEL }
enum SandboxKind { LOCAL DAYTONA }
enum ArtifactKind { MODEL REPORT PLOT METRICS PREDICTIONS DATASET CODE LOG }

type StatusChanged implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type StageStarted implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type StageFinished implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type AgentStarted implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type AgentFinished implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type AgentSpoke implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type StepStarted implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type StepFinished implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type TrialFinished implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type BestImproved implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type ProgressMade implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type LogWritten implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type ArtifactSaved implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }
type FallbackUsed implements JobEvent { sequence: Int! at: DateTime! stage: Stage agent: Agent message: String! }

enum Metric { ROC_AUC LOG_LOSS RMSE }
enum ColumnType { NUMERIC CATEGORICAL BOOLEAN DATE TEXT }
type Health { version: String! }
type Usage { modelCalls: Int! estimatedCostUsd: Float! sandboxSeconds: Float! }
type Failure { code: String! message: String! hint: String stage: Stage }
type Interval { low: Float! high: Float! }
input JobFilter { statuses: [JobStatus!] }
input UploadDatasetInput { file: Upload! name: String }
input CancelJobInput { jobId: ID! }
input RetryJobInput { jobId: ID! }
input DeleteJobInput { jobId: ID! }
union UploadDatasetResult = UploadDatasetSuccess | InvalidDatasetError
union CancelJobResult = CancelJobSuccess | JobNotFoundError | JobStateError
union RetryJobResult = RetryJobSuccess | JobNotFoundError | JobStateError
union DeleteJobResult = DeleteJobSuccess | JobNotFoundError | JobStateError
type UploadDatasetSuccess { dataset: Dataset! }
type CancelJobSuccess { job: Job! }
type RetryJobSuccess { job: Job! }
type DeleteJobSuccess { deletedJobId: ID! }
type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
type JobConnection { edges: [JobEdge!]! nodes: [Job!]! pageInfo: PageInfo! }
type JobEdge { cursor: String! node: Job! }
type DatasetConnection { edges: [DatasetEdge!]! nodes: [Dataset!]! pageInfo: PageInfo! }
type DatasetEdge { cursor: String! node: Dataset! }
type ArtifactConnection { edges: [ArtifactEdge!]! nodes: [Artifact!]! pageInfo: PageInfo! }
type ArtifactEdge { cursor: String! node: Artifact! }
`;
