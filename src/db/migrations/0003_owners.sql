CREATE TABLE `api_keys` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`owner` text NOT NULL,
	`scope` text NOT NULL,
	`secret_hash` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`revoked_at` integer,
	`last_used_at` integer
);
--> statement-breakpoint
CREATE TABLE `owners` (
	`owner` text PRIMARY KEY NOT NULL,
	`last_turn_at` integer,
	`day` text NOT NULL,
	`uploaded_bytes` integer NOT NULL,
	`budget_seconds` integer NOT NULL
);
--> statement-breakpoint
DROP INDEX `jobs_by_idempotency_key`;--> statement-breakpoint
ALTER TABLE `jobs` ADD `owner` text DEFAULT 'local' NOT NULL;--> statement-breakpoint
CREATE INDEX `jobs_by_owner` ON `jobs` (`owner`,`created_at`,`id`);--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_by_idempotency_key` ON `jobs` (`owner`,`idempotency_key`);--> statement-breakpoint
ALTER TABLE `datasets` ADD `owner` text DEFAULT 'local' NOT NULL;--> statement-breakpoint
CREATE INDEX `datasets_by_owner` ON `datasets` (`owner`,`created_at`,`id`);