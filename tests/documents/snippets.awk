# awk -v out=<directory> -f snippets.awk <document>...
# Writes every ```cpp block of Markdown documents to a file of its own, <document>-<line>.cpp, and its #include lines in front. What a block
# takes for granted is in a comment before it, for all blocks up to the next such comment; a line `...` stands for the block:
#
#     <!-- cpp
#     void f(moqlite::session& s) {
#     ...
#     }
#     -->
#
# After `<!-- cpp together` the blocks are one file: a program that is told in pieces. `<!-- cpp -->`: nothing is taken for granted.
function start(kind) {
    finish()
    together = kind == "together"
    front = behind = ""
    is_behind = 0
}
function place() { return "#line " FNR + 1 " \"" FILENAME "\"\n" }
function add_code(line, to) {
    if (line ~ /^#include/) {
        includes = includes place_of_line() line "\n"
        return to "\n" # The lines after it keep their numbers.
    }
    return to line "\n"
}
function place_of_line() { return "#line " FNR " \"" FILENAME "\"\n" }
# The blocks that wait, as a file.
function finish(    name) {
    if (blocks == "") return
    name = document
    gsub(/.*\//, "", name)
    name = out "/" name "-" first ".cpp"
    printf "%s%s%s%s%s", frame_includes, includes, front, blocks, behind >name
    close(name)
    print name
    blocks = includes = ""
}
FNR == 1 {
    if (document != "") start("")
    frame_includes = ""
    document = FILENAME
}
in_frame && /^-->/ { in_frame = 0; frame_includes = includes; includes = ""; next }
in_frame && $0 == "..." { is_behind = 1; behind = place(); next }
in_frame { if (is_behind) behind = add_code($0, behind); else front = add_code($0, front); next }
/^<!-- cpp( together)?( -->)?$/ { start($3); frame_includes = ""; in_frame = $0 !~ /-->/; front = in_frame ? place() : ""; next }
in_block && /^```$/ { in_block = 0; if (!together) finish(); next }
in_block { blocks = add_code($0, blocks); next }
/^```cpp$/ { in_block = 1; if (blocks == "") first = FNR; blocks = blocks place(); next }
/^ *```+ *(cpp|c\+\+|cxx|CPP|C\+\+)/ { print FILENAME ":" FNR ": a block of C++ begins with ```cpp at the beginning of its line" >"/dev/stderr"; exit 1 }
END { if (in_block || in_frame) { print FILENAME ": a block or comment does not end" >"/dev/stderr"; exit 1 } finish() }
