-- What a kept policy learned from and how, so that a new version of a use case goes on from it where both are the same.

alter table model
    -- what its lessons mean: features, reward, dimensions; and what learns from them; null: kept before this was known
    add column lessons jsonb,
    add column learner jsonb;
