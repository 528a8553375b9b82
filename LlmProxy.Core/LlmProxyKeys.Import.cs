using LlmProxy.Core.Authentication;
using LlmProxy.Core.Configuration;

namespace LlmProxy.Core;

/// <summary>New keys, made here or brought along.</summary>
public sealed partial class LlmProxyKeys
{
    /// <summary>Takes in keys that exist elsewhere by their SHA-256, so that nobody has to be given another. All of them or none.</summary>
    /// <param name="keys">At least one.</param>
    /// <param name="cancellationToken">Ends the wait; whether they were taken in is then not known.</param>
    public Task<LlmProxyKeyChange> ImportAsync(IReadOnlyList<LlmProxyKeyImport> keys, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return AddAsync([.. keys.Select(static key => new NewKey(0, key.Name, key.Hash, key.Settings, ""))], isImport: true, cancellationToken);
    }

    /// <summary>
    /// The same from a table: text with commas, whose first line names the columns <c>name</c> and <c>hash</c>, and if need be
    /// <c>group</c>, <c>expires</c> and <c>settings</c> (a JSON object). <c>key_alias</c> and <c>token</c> mean the first two as well. All
    /// lines or none; every problem says its line.
    /// </summary>
    /// <param name="csv">The table.</param>
    /// <param name="cancellationToken">Ends the wait; whether they were taken in is then not known.</param>
    public async Task<LlmProxyKeyChange> ImportCsvAsync(string csv, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(csv);
        var problems = new List<ConfigurationProblem>();
        var keys = KeyTable.Read(csv, problems);
        return problems.Count > 0
            ? new LlmProxyKeyChange { Outcome = LlmProxyKeyOutcome.Invalid, Problems = problems }
            : await AddAsync([.. keys.Select(static key => new NewKey(key.Line, key.Name, key.Hash, key.Settings, ""))], isImport: true, cancellationToken);
    }

    private async Task<LlmProxyKeyChange> AddAsync(IReadOnlyList<NewKey> keys, bool isImport, CancellationToken cancellationToken)
    {
        if (!HasStore)
        {
            return NoStore();
        }

        if (keys.Count == 0)
        {
            return Refused(LlmProxyKeyOutcome.Invalid, "", "there is no key to take in.");
        }

        try
        {
            for (var i = 0; i < MostTries; i++)
            {
                var (rows, problems, isTaken) = Check(keys, isImport);
                if (problems.Exists(static p => p.IsError))
                {
                    return new LlmProxyKeyChange { Outcome = isTaken ? LlmProxyKeyOutcome.Conflict : LlmProxyKeyOutcome.Invalid, Problems = problems };
                }

                if (await TrySaveAsync(rows, cancellationToken))
                {
                    return new LlmProxyKeyChange { Outcome = LlmProxyKeyOutcome.Done, Problems = problems, Keys = [.. rows.Select(row => Find(row.Id)!)] };
                }

                // Another instance has taken a name or a hash that was free here: now it is seen.
            }

            return Refused(LlmProxyKeyOutcome.Conflict, "Name", "a name or a hash is taken.");
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return Unavailable(e);
        }
    }

    private (List<StoredKey> Rows, List<ConfigurationProblem> Problems, bool IsTaken) Check(IReadOnlyList<NewKey> keys, bool isImport)
    {
        var rows = new List<StoredKey>(keys.Count);
        var all = new List<ConfigurationProblem>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var hashes = new HashSet<string>(StringComparer.Ordinal);
        var (isTaken, isOtherwiseWrong) = (false, false);
        foreach (var key in keys)
        {
            var found = new Problems();
            CallerRules.CheckName("Name", "a key", key.Name, found);
            var hash = key.Hash.StartsWith("sha256:", StringComparison.Ordinal) ? key.Hash : "sha256:" + key.Hash;
            var isHash = KeyHash.TryParse(hash, out var bytes);
            if (!isHash)
            {
                found.Error("Hash", "is not 64 hexadecimal digits.");
            }

            var row = new StoredKey { Id = KeyIds.Create(_time.GetUtcNow()), Name = key.Name, Hash = hash.ToLowerInvariant(), Tail = key.Tail, Created = _time.GetUtcNow() };
            isOtherwiseWrong |= !TryApply(row, key.Settings, out row, out var ofSettings) || found.HasErrors;
            if (WhoHas(key.Name, isHash ? bytes : null, names.Add(key.Name), hashes.Add(row.Hash)) is { } taken)
            {
                isTaken = true;
                found.Error(taken.Path, taken.Why);
            }

            rows.Add(row);
            all.AddRange(found.InOrder.Concat(ofSettings).Select(problem => isImport
                ? problem with { Line = key.Line, Path = Places.Member(DisplayName(key.Name), problem.Path) }
                : problem));
        }

        return (rows, all, isTaken && !isOtherwiseWrong);
    }

    private (string Path, string Why)? WhoHas(string name, byte[]? hash, bool isNewName, bool isNewHash)
    {
        var snapshot = Current;
        return !isNewName ? ("Name", "stands here twice.")
            : snapshot.Options.Keys.ContainsKey(name) ? ("Name", "is taken by a key in the configuration.")
            : Stored.FindKey(name) is not null ? ("Name", "is taken.")
            : hash is null ? null
            : !isNewHash ? ("Hash", "stands here twice.")
            : snapshot.Keys.OwnerOf(hash) is { } configured ? ("Hash", $"is the key {Problems.Quote(configured.Name)} in the configuration.")
            : Stored.OwnerOf(hash) is { } stored ? ("Hash", $"is the key {Problems.Quote(stored.Name)} ({stored.Id}).")
            : null;
    }

    private static string DisplayName(string name) => Protocol.DisplayText.Name(name);

    private sealed class NewKey(int line, string name, string hash, string settings, string tail)
    {
        public int Line => line;

        public string Name => name;

        public string Hash => hash;

        public string Settings => settings;

        public string Tail => tail;
    }
}
