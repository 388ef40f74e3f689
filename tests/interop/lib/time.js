// Every wait has a bound, and says what it waited for.
export async function within(seconds, what, promise) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: not within ${seconds} s`)), seconds * 1000);
    });
    try {
        return await Promise.race([promise, late]);
    } finally {
        clearTimeout(timer);
    }
}

/// Polls until `condition` gives something that is not false.
export async function until(seconds, what, condition) {
    const end = performance.now() + seconds * 1000;
    for (;;) {
        const found = await condition();
        if (found) return found;
        if (performance.now() > end) throw new Error(`${what}: not within ${seconds} s`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}
