using System.Collections.Concurrent;

namespace LlmProxy.Core.Admission;

/// <summary>How long the answers of each model are, for each key and for all together.</summary>
internal sealed class AnswerBook
{
    private const int MostModels = 4096;

    private readonly ConcurrentDictionary<string, AnswerSizes> _models = new(StringComparer.Ordinal);
    private readonly AllAnswers _others = new();

    /// <summary>What is known of a key's answers of a model.</summary>
    /// <param name="key">Keeps it.</param>
    /// <param name="model">Without aliases.</param>
    public ModelAnswers Of(Meter key, string model) => key.Answers.Find(model) ?? key.Answers.Add(new ModelAnswers(model, ForAll(model)));

    // A pattern stands for names without end, and a client chooses among them.
    private AnswerSizes ForAll(string model) =>
        _models.TryGetValue(model, out var known) ? known
        : _models.Count < MostModels ? _models.GetOrAdd(model, static _ => new AllAnswers())
        : _others;
}

/// <summary>The answers that everybody has had of one model.</summary>
internal sealed class AllAnswers : AnswerSizes;

/// <summary>The answers that one key has had of one model.</summary>
internal sealed class ModelAnswers(string model, AnswerSizes ofAll) : AnswerSizes
{
    public string Model { get; } = model;

    /// <summary>The one before it of <see cref="RecentModels"/>.</summary>
    public ModelAnswers? Next { get; set; }

    /// <summary>How long most are: by this key's own, and as long as these are few by everybody's. 0: not known.</summary>
    public long Expected => Usual is > 0 and var own ? own : ofAll.Usual;

    public void Learn(long tokens)
    {
        Add(tokens);
        ofAll.Add(tokens);
    }
}

/// <summary>The models that a key has used lately: a few, looked through from the newest.</summary>
internal struct RecentModels
{
    private const int Most = 16;

    private ModelAnswers? _newest;

    public readonly ModelAnswers? Find(string model)
    {
        var known = Volatile.Read(in _newest);
        while (known is not null && known.Model != model)
        {
            known = known.Next;
        }

        return known;
    }

    /// <summary>Remembers one more, in the place of the oldest if there are many. Of two who do so at once one may be lost.</summary>
    public ModelAnswers Add(ModelAnswers model)
    {
        model.Next = _newest;
        Volatile.Write(ref _newest, model);
        var last = model;
        for (var i = 1; i < Most && last is not null; i++)
        {
            last = last.Next;
        }

        if (last is not null)
        {
            last.Next = null;
        }

        return model;
    }
}
