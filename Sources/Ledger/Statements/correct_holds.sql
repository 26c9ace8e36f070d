SELECT correct_holds(
  $1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::timestamptz[], $7::uuid[],
  $8::timestamptz[], $9::bigint[], $10::bigint[])
