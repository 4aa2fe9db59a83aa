DROP VIEW IF EXISTS status, lag;
DROP TABLE IF EXISTS operations, schema_changes, incidents, dead_letters, batches, partitions, offsets, topics,
    pipelines, compatibility;
