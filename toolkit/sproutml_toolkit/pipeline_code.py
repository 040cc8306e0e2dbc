def pipeline_code(trial_id, job): return "#\n"
