DROP FUNCTION grant_fence_rights();
DROP TABLE fence;
