/**
 * The values of options as people write and read them: text to value, with bounds, and back. One
 * function for each direction; what each type takes is said once, here.
 */
import type { OptionSpec } from '../protocol/config.ts';

/** What an option holds once it is read. */
export type OptionValue = string | number | boolean | readonly string[];

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 1024,
  MIB: 1024 ** 2,
  GIB: 1024 ** 3,
  TIB: 1024 ** 4,
};

const DURATION_UNITS: Readonly<Record<string, number>> = { MS: 1, S: 1000, M: 60_000 };

/** The value that `text` stands for, or undefined when it is none that `option` takes. */
export function parseValue(option: OptionSpec, text: string): OptionValue | undefined {
  switch (option.type) {
    case 'text':
      if (text === option.empty) return '';
      return option.form.pattern.test(text) ? text : undefined;
    case 'integer':
      return within(option, /^\d{1,15}$/.test(text) ? Number(text) : undefined);
    case 'size':
      if (text === option.zero) return 0;
      return within(option, parseQuantity(text, SIZE_UNITS, 'B'));
    case 'duration':
      return within(option, parseQuantity(text, DURATION_UNITS, 'S'));
    case 'choice':
      return option.choices.includes(text) ? text : undefined;
    case 'switch':
      return text === 'on' ? true : text === 'off' ? false : undefined;
    case 'list': {
      const items = text.split(',').map((item) => item.trim());
      return items.every((item) => option.form.pattern.test(item)) ? items : undefined;
    }
  }
}

/** A number, with a fraction only where a unit follows, in the smallest unit. */
function parseQuantity(
  text: string,
  units: Readonly<Record<string, number>>,
  unitless: string,
): number | undefined {
  const match = /^(\d{1,15})(\.\d{1,6})? ?([a-z]+)?$/i.exec(text);
  if (match === null || (match[2] !== undefined && match[3] === undefined)) return undefined;
  const factor = units[(match[3] ?? unitless).toUpperCase()];
  return factor === undefined
    ? undefined
    : Math.round(Number(match[1] + (match[2] ?? '')) * factor);
}

function within(bounds: { min: number; max: number }, value?: number): number | undefined {
  return value !== undefined && value >= bounds.min && value <= bounds.max ? value : undefined;
}

/** What an option takes, in words that follow "takes". */
export function accepted(option: OptionSpec): string {
  switch (option.type) {
    case 'text':
      return option.form.words + (option.empty === undefined ? '' : `, or ${option.empty}`);
    case 'integer':
      return `a whole number from ${option.min} to ${option.max}`;
    case 'size':
      return (
        `a size from ${showSize(option.min)} to ${showSize(option.max)}` +
        (option.zero === undefined ? '' : `, or ${option.zero}`)
      );
    case 'duration':
      return `a time from ${showDuration(option.min)} to ${showDuration(option.max)}`;
    case 'choice':
      return option.choices.join(', ').replace(/, ([^,]*)$/, ' or $1');
    case 'switch':
      return 'on or off';
    case 'list':
      return `${option.form.words}, separated by commas`;
  }
}

/** A value as it may be written on the command line; an empty list shows as `none`. */
export function showValue(option: OptionSpec, value: OptionValue): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (option.type === 'text' && value === '') return option.empty ?? '';
  if (typeof value === 'string') return value;
  if (typeof value !== 'number') return value.length === 0 ? 'none' : value.join(',');
  if (option.type === 'size') return value === 0 ? (option.zero ?? '0B') : showSize(value);
  return option.type === 'duration' ? showDuration(value) : String(value);
}

function showSize(bytes: number): string {
  const unit = ['TiB', 'GiB', 'MiB', 'KiB'].find(
    (name) => bytes > 0 && bytes % (SIZE_UNITS[name.toUpperCase()] ?? 1) === 0,
  );
  return unit === undefined
    ? `${bytes}B`
    : `${bytes / (SIZE_UNITS[unit.toUpperCase()] ?? 1)}${unit}`;
}

function showDuration(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`;
}
