using System.Collections.Concurrent;

namespace LlmProxy.Core.Admission;

/// <summary>How long the answers of each model are, for each key and for all together.</summary>
internal sealed class AnswerBook
{
    private const int MostModels = 4096;

    private readonly ConcurrentDictionary<string, AnswerSizes> _models = new(StringComparer.Ordinal);
    private readonly AnswerSizes _others = new();

    /// <summary>What is known of a key's answers of a model.</summary>
    /// <param name="key">Keeps it.</param>
    /// <param name="model">Without aliases.</param>
    public ModelAnswers Of(Meter key, string model) => key.Answers.Find(model) ?? key.Answers.Add(new ModelAnswers(model, ForAll(model)));

    // A pattern stands for names without end, and a client chooses among them.
    private AnswerSizes ForAll(string model) =>
        _models.TryGetValue(model, out var known) ? known
        : _models.Count < MostModels ? _models.GetOrAdd(model, static _ => new AnswerSizes())
        : _others;
}

/// <summary>The answers that one key has had of one model.</summary>
internal sealed class ModelAnswers(string model, AnswerSizes ofAll)
{
    private readonly AnswerSizes _own = new();

    public string Model { get; } = model;

    /// <summary>How long most are: by this key's own, and as long as these are few by everybody's. 0: not known.</summary>
    public long Usual => _own.Usual is > 0 and var own ? own : ofAll.Usual;

    public void Add(long tokens)
    {
        _own.Add(tokens);
        ofAll.Add(tokens);
    }
}

/// <summary>The models that a key has used lately: a few, looked through from the front.</summary>
internal struct RecentModels
{
    private const int Most = 16;

    private ModelAnswers[]? _models;
    private int _next;

    public readonly ModelAnswers? Find(string model)
    {
        foreach (var known in Volatile.Read(in _models) ?? [])
        {
            if (known.Model == model)
            {
                return known;
            }
        }

        return null;
    }

    /// <summary>Remembers one more, in the place of another if there are many. Of two who do so at once one may be lost.</summary>
    public ModelAnswers Add(ModelAnswers model)
    {
        var models = _models ?? [];
        if (models.Length < Most)
        {
            _models = [.. models, model];
        }
        else
        {
            _models = [.. models];
            _models[(int)((uint)_next++ % Most)] = model;
        }

        return model;
    }
}
