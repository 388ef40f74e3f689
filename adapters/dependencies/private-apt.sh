# Sourced: apt with sources and state of its own under $work. Nothing of the machine's is changed; signatures are checked as always.

# The Debian archive that this machine is configured to use.
debian_archive() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 2>/dev/null | sed -n 's/^Debian //p' | head -1 | grep . ||
        cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb (\[[^]]*\] *)?([^ ]+).*/\2/p' | grep -E '/debian/?$' | head -1 | grep .
}

private_apt() {
    local tool=$1
    shift
    "$tool" -c "$work/apt/apt.conf" "$@"
}

# use_suite <deb|deb-src> <suite>: points private_apt at one suite; fails where the mirror lacks it or its signature does not hold.
use_suite() {
    local archive keys=/usr/share/keyrings/debian-archive-keyring.gpg signed_by=
    archive=$(debian_archive) || return 1
    [ ! -e $keys ] || signed_by="[signed-by=$keys]"
    rm -rf "$work/apt"
    mkdir -p "$work"/apt/{state/lists/partial,cache/archives/partial}
    echo "$1 $signed_by $archive $2 main" >"$work/apt/sources.list"
    cat >"$work/apt/apt.conf" <<-END
	Dir::Etc::sourcelist "$work/apt/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::State "$work/apt/state";
	Dir::State::status "/var/lib/dpkg/status";
	Dir::Cache "$work/apt/cache";
	Acquire::Languages "none";
	APT::Sandbox::User "";
	APT::Update::Error-Mode "any";
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	END
    private_apt apt-get update
}
