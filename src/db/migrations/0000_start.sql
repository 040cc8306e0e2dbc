CREATE TABLE `artifacts` (
	`id` text PRIMARY KEY NOT NULL,
	`job_id` text NOT NULL,
	`name` text NOT NULL,
	`kind` text NOT NULL,
	`content_type` text NOT NULL,
	`size` integer NOT NULL,
	`sha256` text NOT NULL,
	`blob_key` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `artifacts_by_name` ON `artifacts` (`job_id`,`name`);--> statement-breakpoint
CREATE INDEX `artifacts_newest` ON `artifacts` (`job_id`,`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `datasets` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`columns` text NOT NULL,
	`row_count` integer,
	`size` integer NOT NULL,
	`sha256` text NOT NULL,
	`dialect` text NOT NULL,
	`blob_key` text NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `datasets_newest` ON `datasets` (`created_at`,`id`);--> statement-breakpoint
CREATE TABLE `events` (
	`job_id` text NOT NULL,
	`sequence` integer NOT NULL,
	`at` integer NOT NULL,
	`stage` text,
	`agent` text,
	`message` text NOT NULL,
	`body` text NOT NULL,
	PRIMARY KEY(`job_id`, `sequence`),
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`dataset_id` text NOT NULL,
	`name` text NOT NULL,
	`options` text NOT NULL,
	`status` text NOT NULL,
	`stage` text,
	`progress` real NOT NULL,
	`task` text,
	`metric` text,
	`mind` text NOT NULL,
	`sandbox` text NOT NULL,
	`attempt` integer NOT NULL,
	`barren_attempts` integer NOT NULL,
	`last_sequence` integer NOT NULL,
	`active_ms` integer NOT NULL,
	`cancel_requested_at` integer,
	`result` text,
	`failure` text,
	`usage` text NOT NULL,
	`retry_of` text,
	`idempotency_key` text,
	`idempotency_hash` text,
	`created_at` integer NOT NULL,
	`started_at` integer,
	`finished_at` integer,
	FOREIGN KEY (`dataset_id`) REFERENCES `datasets`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `jobs_newest` ON `jobs` (`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_by_status` ON `jobs` (`status`,`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `jobs_by_dataset` ON `jobs` (`dataset_id`,`created_at`,`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_by_idempotency_key` ON `jobs` (`idempotency_key`);--> statement-breakpoint
CREATE TABLE `leftovers` (
	`kind` text NOT NULL,
	`key` text NOT NULL,
	`since` integer NOT NULL,
	PRIMARY KEY(`kind`, `key`)
);
--> statement-breakpoint
CREATE TABLE `steps` (
	`job_id` text NOT NULL,
	`key` text NOT NULL,
	`tool` text NOT NULL,
	`ok` integer NOT NULL,
	`output` text,
	`seconds` real NOT NULL,
	`attempt` integer NOT NULL,
	`finished_at` integer NOT NULL,
	PRIMARY KEY(`job_id`, `key`),
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `trials` (
	`job_id` text NOT NULL,
	`id` text NOT NULL,
	`name` text NOT NULL,
	`family` text NOT NULL,
	`agent` text NOT NULL,
	`score` real NOT NULL,
	`fold_scores` text NOT NULL,
	`fit_seconds` real NOT NULL,
	`predict_micros_per_row` real,
	`parameters` text NOT NULL,
	`is_baseline` integer NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`job_id`, `id`),
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
