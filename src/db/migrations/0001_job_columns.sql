CREATE TABLE `job_columns` (
	`job_id` text PRIMARY KEY NOT NULL,
	`columns` text NOT NULL,
	FOREIGN KEY (`job_id`) REFERENCES `jobs`(`id`) ON UPDATE no action ON DELETE cascade
);
