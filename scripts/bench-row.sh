# shellcheck shell=bash
# What the benchmarks share: sourced by scripts/bench.sh and bench-whole.sh, with
# the folder $work for what is made on the way.
# shellcheck disable=SC2154 # work

# heading says on what machine, and names the columns.
heading() {
  echo "machine: $(nproc) CPUs,$(sed -n 's/^model name.*://p' /proc/cpuinfo | head -n1), Linux $(uname -r)"
  printf '\n%-42s %8s %8s %7s %9s  %s\n' "" "wall s" "CPU s" "RSS MB" "size MB" "ratios: wall CPU size"
}

# row runs the command $3... and prints a line of the table: its name $1, the
# time, and the size of the file $2 that it left. Ratios are to the first row
# since $base was emptied.
row() {
  local name=$1 out=$2 wall user sys rss size=-
  shift 2
  if ! /usr/bin/time -q -f '%e %U %S %M' -o "$work/time" "$@" >"$work/log" 2>&1; then
    printf '%-42s failed: %s\n' "$name" "$(tail -n1 "$work/log")"
    return 0
  fi
  read -r wall user sys rss <"$work/time"
  [ ! -f "$out" ] || size=$(stat -c %s "$out")
  rm -f "$out" "$out.sha256"
  awk -v name="$name" -v wall="$wall" -v user="$user" -v sys="$sys" -v rss="$rss" \
    -v size="$size" -v base="$base" 'BEGIN {
      cpu = user + sys; split(base, b, " ")
      printf "%-42s %8.1f %8.1f %7.0f %9s", name, wall, cpu, rss / 1024,
        size == "-" ? "-" : sprintf("%.1f", size / 1e6)
      if (base == "") print "  (1.0)"
      else printf "  %.2f %.2f %s\n", wall / b[1], cpu / b[2],
        size == "-" || b[3] == 0 ? "-" : sprintf("%.3f", size / b[3])
    }'
  [ -n "$base" ] || base="$wall $(awk "BEGIN { print $user + $sys }") ${size/-/0}"
}

# warm reads a file in.
warm() {
  cat "$1" >/dev/null
}
