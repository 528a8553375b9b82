using Microsoft.Extensions.Logging;

namespace LlmProxy.Core.Accounting;

/// <summary>Rows that are offered to the store, and those that it will never take.</summary>
internal sealed partial class Ledger
{
    /// <returns>False if one of the rows is none that the store would take.</returns>
    private async ValueTask<bool> TryBringAsync(IReadOnlyList<LedgerRow> rows)
    {
        try
        {
            // A store that does not end when it is told to holds up nobody's end: its rows are in the journal.
            await _store!.WriteAsync(rows, _ending.Token).AsTask().WaitAsync(_ending.Token);
            return true;
        }
        catch (LedgerRowRefusedException) when (rows.Count > 1)
        {
            return false;
        }
        catch (LedgerRowRefusedException e)
        {
            PutAside(rows[0], e);
            return true;
        }
    }

    /// <summary>One by one, so that a row which the store will never take keeps none of the others waiting.</summary>
    private async ValueTask BringEachAsync(IReadOnlyList<LedgerRow> rows)
    {
        foreach (var row in rows)
        {
            await TryBringAsync([row]);
        }
    }

    private void PutAside(LedgerRow row, LedgerRowRefusedException why)
    {
        var folder = _folder?.Path ?? throw new IOException("A row was refused, and there is no folder to put it aside in.", why);
        if (!_refused.TryKeep(folder, row, why.Message))
        {
            return;
        }

        _metrics.Ledger.Refused();
        if (_refusedPace.TryPass())
        {
            Log.Refused(_logger, row.Id, Path.Combine(folder, RefusedRows.FileName), why);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(9, LogLevel.Error, "The ledger's store refused row {Row} for what is in it: it is put aside in {File}, and no others wait for it. Told once a minute.")]
        public static partial void Refused(ILogger logger, string row, string file, Exception fault);
    }
}
