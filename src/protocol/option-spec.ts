/**
 * What an option is: its flag, its type, its bounds, its help. The options themselves are in config.ts.
 * Both processes use it.
 */
interface OptionBase<T> {
  /** The long flag without dashes; the environment variable is `BIGCACHE_<FLAG>`. */
  readonly flag: string;
  /** Another spelling of the flag. */
  readonly alias?: string;
  /** Further environment variables, weaker than `BIGCACHE_<FLAG>`. */
  readonly envAliases?: readonly string[];
  readonly default: T;
  /** What the default is called where its value depends on the machine. */
  readonly defaultText?: string;
  readonly help: string;
}

/** What a text, or each item of a list, looks like. */
export interface Form {
  readonly pattern: RegExp;
  /** In words, after "takes". */
  readonly words: string;
}

interface TextOption extends OptionBase<string> {
  readonly type: 'text';
  /** The word that stands for the empty text, where nothing may be asked for. */
  readonly empty?: string;
  readonly form: Form;
}
interface IntegerOption extends OptionBase<number> {
  readonly type: 'integer';
  readonly min: number;
  readonly max: number;
}
/**
 * Bytes; a unit may follow: KB, MB, GB, TB are powers of 1000, KiB, MiB, GiB, TiB of 1024. 0 stands
 * for no limit, or for a value that is found when the server starts, and cannot be given as a number.
 */
interface SizeOption extends OptionBase<number> {
  readonly type: 'size';
  /** The word that stands for 0, where 0 may be asked for. */
  readonly zero?: string;
  readonly min: number;
  readonly max: number;
}
/** Milliseconds; given as a number of seconds or with a unit: ms, s, m. */
interface DurationOption extends OptionBase<number> {
  readonly type: 'duration';
  readonly min: number;
  readonly max: number;
}
interface ChoiceOption extends OptionBase<string> {
  readonly type: 'choice';
  readonly choices: readonly string[];
}
interface SwitchOption extends OptionBase<boolean> {
  /** `on` or `off`; without a value, `on`. */
  readonly type: 'switch';
}
interface ListOption extends OptionBase<readonly string[]> {
  /** Separated by commas. */
  readonly type: 'list';
  readonly form: Form;
}

/** All but the setting that it is for. */
export type OptionShape =
  | TextOption
  | IntegerOption
  | SizeOption
  | DurationOption
  | ChoiceOption
  | SwitchOption
  | ListOption;

/** The variable that sets an option: `BIGCACHE_` and the flag, upper-cased, dashes underscored. */
export function environmentName(option: OptionShape): string {
  return `BIGCACHE_${option.flag.toUpperCase().replaceAll('-', '_')}`;
}
